//! Signed webhooks: delivered in the background, each event until it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::Sandbox;
use super::form::hex;
use super::objects::Event;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Stripe gives up after three days.
const PATIENCE: Duration = Duration::from_secs(3 * 24 * 60 * 60);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A shop on one machine drowns in more calls at once.
const CONCURRENCY_MAX: usize = 8;

/// Where events are sent, and the secret (`whsec_…`) that signs them.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) secret: String,
}

/// Sends events.
#[derive(Clone)]
pub(super) struct Sender {
    client: reqwest::Client,
    slots: Arc<Semaphore>,
}

impl Sender {
    pub(super) fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            slots: Arc::new(Semaphore::new(CONCURRENCY_MAX)),
        })
    }

    /// Sends the event until it is acknowledged with a 2xx, in a task of its own.
    pub(super) fn deliver(&self, sandbox: Sandbox, event: Event) {
        let sender = self.clone();
        tokio::spawn(async move {
            let started = tokio::time::Instant::now();
            let mut pause = FIRST_PAUSE;
            while started.elapsed() < PATIENCE {
                // Asked for each time, because the endpoint can be changed meanwhile.
                let Some(endpoint) = sandbox.endpoint() else {
                    return;
                };
                if sender.attempt(&endpoint, &event).await {
                    sandbox.note_delivered(&event.id);
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            tracing::warn!(
                event = event.id,
                "the webhook never acknowledged this event"
            );
        });
    }

    async fn attempt(&self, endpoint: &Endpoint, event: &Event) -> bool {
        let Ok(_slot) = self.slots.acquire().await else {
            return false;
        };
        let Ok(payload) = serde_json::to_string_pretty(event) else {
            return false;
        };
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let answer = self
            .client
            .post(&endpoint.url)
            .header("content-type", "application/json; charset=utf-8")
            .header(
                "user-agent",
                "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            )
            .header(
                "stripe-signature",
                signature(&endpoint.secret, now, &payload),
            )
            .body(payload)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => true,
            Ok(answer) => {
                tracing::warn!(
                    event = event.id,
                    status = answer.status().as_u16(),
                    "not taken"
                );
                false
            }
            Err(error) => {
                tracing::warn!(event = event.id, %error, "the webhook did not answer");
                false
            }
        }
    }
}

/// `t=<seconds>,v1=<hexadecimal HMAC-SHA256 of "<seconds>.<payload>">`; the key is the whole
/// secret, its prefix included.
fn signature(secret: &str, now: i64, payload: &str) -> String {
    // An HMAC key has any length, so this cannot fail; an empty signature would be refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{now}.{payload}").as_bytes());
    format!("t={now},v1={}", hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected digest comes from `openssl dgst -sha256 -hmac`.
    #[test]
    fn signature_is_as_openssl_computes_it() {
        assert_eq!(
            signature("whsec_test_secret", 1_700_000_000, "{\"id\":\"evt_1\"}"),
            "t=1700000000,v1=248a374f50f943a28b0f6ab50faf9a7e7e29b710fa26df9fb1618b9bf8ea9c9a"
        );
    }
}
