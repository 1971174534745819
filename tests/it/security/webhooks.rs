//! Signatures of the payment provider's webhooks, at the deployed function.

use hmac::{Hmac, KeyInit, Mac};
use local::stack::STAGE;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tests::client::{Client, read};
use tests::{Stack, TestSecrets};
use time::OffsetDateTime;
use uuid::Uuid;

/// The provider, or somebody who says so.
struct Provider {
    client: Client,
    secret: String,
    now: i64,
}

impl Provider {
    async fn new() -> Self {
        let secrets = TestSecrets::open().await;
        let keys = secrets.value(&format!("holdfast/{STAGE}/stripe")).await;
        Self {
            client: Client::anonymous(&Stack::running().api_url),
            secret: keys["webhook_secret"].as_str().unwrap().to_owned(),
            now: OffsetDateTime::now_utc().unix_timestamp(),
        }
    }

    /// What is sent to have `body` believed at a time that is `seconds` from now.
    fn hex(&self, seconds: i64, body: &str) -> String {
        hex(&self.secret, &format!("{}.{body}", self.now + seconds))
    }

    fn signed(&self, seconds: i64, body: &str) -> String {
        format!("t={},v1={}", self.now + seconds, self.hex(seconds, body))
    }

    async fn status(&self, signature: Option<&str>, body: &str) -> u16 {
        let mut request = self.client.request(Method::POST, "/webhooks/stripe");
        request = request.header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        read(request.body(body.to_owned())).await.status.as_u16()
    }
}

fn hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event about a payment of nobody's.
fn event() -> Value {
    json!({
        "id": format!("evt_{}", Uuid::new_v4().simple()), "type": "payment_intent.succeeded",
        "data": {"object": {"object": "payment_intent", "id": "pi_of_nobody"}},
    })
}

#[tokio::test]
async fn signature_in_every_form_that_the_provider_may_use_is_taken() {
    let provider = Provider::new().await;
    let body = event().to_string();
    let (t, good) = (provider.now, provider.hex(0, &body));
    let wrong = "0".repeat(64);
    // The second itself is tried beside the code: here the clock goes on.
    for signature in [
        provider.signed(0, &body),
        provider.signed(-295, &body),
        provider.signed(295, &body),
        format!("t={t},v1={wrong},v1={good}"),
        format!("t={t},v1={good},v1={wrong}"),
        format!("t={t},v0={wrong},v1={good}"),
        format!("v1={good},t={t}"),
        format!("t={t}, v1={good}"),
        format!("t={t},v1={good},v2=later"),
    ] {
        let status = provider.status(Some(&signature), &body).await;
        assert_eq!(status, 200, "{signature}");
    }
}

#[tokio::test]
async fn signature_that_is_old_of_something_else_or_garbage_is_refused() {
    let provider = Provider::new().await;
    let body = event().to_string();
    let (t, good) = (provider.now, provider.hex(0, &body));
    let of = |secret: &str, text: &str| format!("t={t},v1={}", hex(secret, text));
    let signed = format!("{t}.{body}");
    let garbage = [
        "",
        ",",
        "=",
        "t",
        "t=",
        "v1=",
        "t=,v1=",
        "t=x,v1=y",
        "t=1,v1=0",
        "null",
        "t=9223372036854775808,v1=00",
        "t=-9223372036854775808,v1=00",
        "t=9223372036854775807,v1=00",
        "t=NaN,v1=00",
        "t=1e9,v1=00",
    ];
    let mut signatures: Vec<String> = garbage.map(ToOwned::to_owned).into();
    signatures.extend([
        provider.signed(-305, &body),
        provider.signed(305, &body),
        provider.signed(-1_000_000_000, &body),
        format!("v1={good}"),
        format!("t={t}"),
        format!("t={t},v0={good}"),
        format!("t={t},V1={good}"),
        format!("t={t},v1={}", &good[..62]),
        format!("t={t},v1={good}00"),
        format!("t={t},v1={},v1={}", "0".repeat(64), "f".repeat(64)),
        format!("t={},v1={good}", t + 1),
        format!("t={},t={t},v1={good}", t + 1),
        format!("t=0{t},v1={good}"),
        of("whsec_other", &signed),
        of("", &signed),
        of(&provider.secret, &body),
        of(&provider.secret, &t.to_string()),
        of(&provider.secret, &format!("{t}{body}")),
        format!("t={t},v1={}", ",v1=00".repeat(1_000)),
    ]);
    assert_eq!(provider.status(None, &body).await, 400, "no header");
    for signature in signatures {
        assert_eq!(
            provider.status(Some(&signature), &body).await,
            400,
            "{signature}"
        );
    }
}

#[tokio::test]
async fn body_that_is_not_the_signed_one_byte_for_byte_is_refused() {
    let provider = Provider::new().await;
    let event = event();
    let body = event.to_string();
    let signature = provider.signed(0, &body);
    let same_in_other_bytes = [
        serde_json::to_string_pretty(&event).unwrap(),
        format!("{body}\n"),
        format!(" {body}"),
        body.replace(':', ": "),
        body.replace("payment_intent", "payment\\u005fintent"),
    ];
    for other in &same_in_other_bytes {
        assert_eq!(
            serde_json::from_str::<Value>(other).unwrap(),
            event,
            "{other}"
        );
    }
    let altered = [
        body.replace("succeeded", "canceled"),
        body.replace("pi_of_nobody", "pi_of_somebody"),
        body[..body.len() - 1].to_owned(),
        String::new(),
        "{}".to_owned(),
    ];
    for other in same_in_other_bytes.into_iter().chain(altered) {
        assert_eq!(
            provider.status(Some(&signature), &other).await,
            400,
            "{other}"
        );
    }
    assert_eq!(provider.status(Some(&signature), &body).await, 200);
}

#[tokio::test]
async fn signed_body_that_is_no_event_is_refused_and_no_defect() {
    let provider = Provider::new().await;
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "x",
        r#"{"id":1,"type":2,"data":3}"#,
        "\u{feff}{}",
        &"[".repeat(10_000),
    ] {
        assert_eq!(
            provider.status(Some(&provider.signed(0, body)), body).await,
            400,
            "{body:.40}"
        );
    }
}
