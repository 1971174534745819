//! The provider's webhooks: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::providers::secrets::SecretError;

/// How far the signature's time may be from ours, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

/// What the provider tells.
#[derive(Debug, Clone, Deserialize)]
pub struct WebhookEvent {
    /// The provider's id of the event; it may come twice.
    pub id: String,
    /// Such as `payment_intent.succeeded`.
    #[serde(rename = "type")]
    pub type_: String,
    /// What it is about.
    data: Data,
}

#[derive(Debug, Clone, Deserialize)]
struct Data {
    object: Value,
}

impl WebhookEvent {
    /// The payment that it is about.
    pub fn payment_id(&self) -> Option<&str> {
        let object = &self.data.object;
        let field = if object["object"] == "payment_intent" {
            "id"
        } else {
            "payment_intent"
        };
        object[field].as_str()
    }

    /// What is stored of it: what it is about, and nothing of whom.
    pub fn stored(&self) -> Value {
        let object = &self.data.object;
        let metadata = json!({"attempt_id": object["metadata"]["attempt_id"]});
        let object = json!({
            "object": object["object"], "id": object["id"],
            "payment_intent": object["payment_intent"], "metadata": metadata,
        });
        json!({"id": self.id, "type": self.type_, "data": {"object": object}})
    }

    /// Our attempt, kept with the payment.
    pub fn attempt_id(&self) -> Option<Uuid> {
        self.data.object["metadata"]["attempt_id"]
            .as_str()?
            .parse()
            .ok()
    }
}

/// Why a webhook is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWebhook {
    /// The signature is missing, wrong, or of another time.
    #[error("the signature is not valid")]
    Signature,
    /// It is signed, but is no event.
    #[error("the body is no event")]
    Body,
    /// Our keys cannot be read.
    #[error("the provider's keys cannot be read")]
    KeysUnavailable(#[source] SecretError),
}

/// Reads a webhook whose signature over `t.body` is right and recent.
pub(super) fn verify(
    secret: &str,
    signature: &str,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<WebhookEvent, InvalidWebhook> {
    let parts = || {
        signature
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
    };
    let time = parts()
        .find(|(name, _)| *name == "t")
        .map(|(_, value)| value)
        .ok_or(InvalidWebhook::Signature)?;
    let seconds: i64 = time.parse().map_err(|_| InvalidWebhook::Signature)?;
    if now.unix_timestamp().abs_diff(seconds) > TOLERANCE_SECONDS {
        return Err(InvalidWebhook::Signature);
    }
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| InvalidWebhook::Signature)?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let signed = parts().filter(|(name, _)| *name == "v1").any(|(_, hex)| {
        // Compared in constant time by the crate.
        decode_hex(hex).is_some_and(|given| mac.clone().verify_slice(&given).is_ok())
    });
    if !signed {
        return Err(InvalidWebhook::Signature);
    }
    serde_json::from_slice(body).map_err(|_| InvalidWebhook::Body)
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.len()
        .is_multiple_of(2)
        .then(|| hex.as_bytes().chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":
        {"object":"payment_intent","id":"pi_1","metadata":{"attempt_id":"01890000-0000-7000-8000-000000000000"}}}}"#;

    fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("t={seconds},v1={hex}")
    }

    fn now(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn signed_webhook_is_read() {
        let event = verify("whsec", &signature("whsec", 1000, BODY), BODY, now(1000)).unwrap();
        assert_eq!(
            (event.id.as_str(), event.payment_id()),
            ("evt_1", Some("pi_1"))
        );
        assert!(event.attempt_id().is_some());
    }

    #[test]
    fn any_of_several_signatures_will_do() {
        let two = signature("whsec", 1000, BODY).replace("v1=", "v1=00ff,v1=");
        assert!(verify("whsec", &two, BODY, now(1000)).is_ok());
    }

    #[test]
    fn signature_of_up_to_five_minutes_ago_or_ahead_will_do() {
        let good = signature("whsec", 1000, BODY);
        for at in [700, 1300] {
            assert!(verify("whsec", &good, BODY, now(at)).is_ok(), "{at}");
        }
    }

    #[test]
    fn time_without_end_is_refused() {
        for seconds in [i64::MIN, i64::MAX] {
            let signature = signature("whsec", seconds, BODY);
            let refused = verify("whsec", &signature, BODY, now(1000));
            assert!(
                matches!(refused, Err(InvalidWebhook::Signature)),
                "{seconds}"
            );
        }
    }

    #[test]
    fn old_future_altered_and_foreign_signatures_are_refused() {
        let good = signature("whsec", 1000, BODY);
        for (signature, body, at) in [
            (good.clone(), BODY, 1301),
            (good.clone(), BODY, 699),
            (good.clone(), &BODY[1..], 1000),
            (signature("other", 1000, BODY), BODY, 1000),
            (String::new(), BODY, 1000),
            ("t=1000".into(), BODY, 1000),
            ("t=1000,v1=zz".into(), BODY, 1000),
            (good.replace("t=1000", "t=1001"), BODY, 1000),
        ] {
            assert!(
                matches!(
                    verify("whsec", &signature, body, now(at)),
                    Err(InvalidWebhook::Signature)
                ),
                "{signature}"
            );
        }
    }
}
