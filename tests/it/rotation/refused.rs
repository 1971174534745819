//! The payment provider's keys, when those in use are refused.

use checkout::AppState;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::providers::payments::{InvalidWebhook, PaymentError};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Own;

impl Own {
    /// A checkout whose provider's keys are `keys`.
    async fn checkout(&self, keys: &Value) -> AppState {
        self.secrets.create(&self.id("stripe"), keys).await;
        let id = self.id("stripe");
        self.changed().with("STRIPE_SECRET_ID", &id).state().await
    }

    async fn real_keys(&self) -> Value {
        self.secrets.value("holdfast/local/stripe").await
    }
}

async fn charges(checkout: &AppState) -> Result<String, PaymentError> {
    checkout
        .payments
        .create_customer(Uuid::now_v7(), "ada@example.com")
        .await
}

fn signature(keys: &Value, body: &str) -> String {
    let secret = keys["webhook_secret"].as_str().unwrap();
    let seconds = OffsetDateTime::now_utc().unix_timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[tokio::test]
async fn refused_key_is_read_again_at_once_and_the_previous_one_will_do() {
    let own = Own::new().await;
    let real = own.real_keys().await;
    let wrong = json!({"secret_key": "sk_test_wrong", "webhook_secret": "whsec_wrong"});
    let checkout = own.checkout(&wrong).await;
    assert!(matches!(
        charges(&checkout).await,
        Err(PaymentError::KeyRefused)
    ));
    // It has looked just now, in vain; an environment that has not finds the new one at once.
    own.secrets.put(&own.id("stripe"), &real).await;
    let id = own.id("stripe");
    let other = own.changed().with("STRIPE_SECRET_ID", &id).state().await;
    charges(&other).await.unwrap();
    own.secrets.put(&id, &wrong).await;
    charges(&other).await.unwrap();
    let fresh = own.changed().with("STRIPE_SECRET_ID", &id).state().await;
    charges(&fresh).await.unwrap();
}

#[tokio::test]
async fn webhook_that_was_signed_with_the_secret_before_or_after_is_taken() {
    const BODY: &str = r#"{"id":"evt_1","type":"x","data":{"object":{}}}"#;
    let own = Own::new().await;
    let keys = |secret: &str| json!({"secret_key": "sk_test_x", "webhook_secret": secret});
    let checkout = own.checkout(&keys("whsec_1")).await;
    let takes = async |secret: &str| {
        let signature = signature(&keys(secret), BODY);
        checkout.payments.webhook(&signature, BODY.as_bytes()).await
    };
    takes("whsec_1").await.unwrap();
    own.secrets.put(&own.id("stripe"), &keys("whsec_2")).await;
    for secret in ["whsec_2", "whsec_1"] {
        takes(secret).await.unwrap();
    }
    // However many are forged meanwhile.
    for _ in 0..20 {
        let forged = takes("whsec_forged").await;
        assert!(matches!(forged, Err(InvalidWebhook::Signature)));
        takes("whsec_2").await.unwrap();
    }
}

#[tokio::test]
async fn secret_comes_from_a_file_before_the_environment_before_the_store() {
    let own = Own::new().await;
    let real = own.real_keys().await.to_string();
    let wrong = json!({"secret_key": "sk_test_wrong", "webhook_secret": "x"});
    own.secrets.create(&own.id("stripe"), &wrong).await;
    let id = own.id("stripe");
    let changed = || own.changed().with("STRIPE_SECRET_ID", &id);
    charges(&changed().with("STRIPE_SECRET", &real).state().await)
        .await
        .unwrap();
    let file = std::env::temp_dir().join(&own.stage);
    let given = changed()
        .with("STRIPE_SECRET", &wrong.to_string())
        .with("STRIPE_SECRET_FILE", file.to_str().unwrap());
    let checkout = given.state().await;
    let error = charges(&checkout).await.unwrap_err();
    assert!(matches!(error, PaymentError::NotSent(_)), "{error}");
    std::fs::write(&file, wrong.to_string()).unwrap();
    assert!(matches!(
        charges(&checkout).await,
        Err(PaymentError::KeyRefused)
    ));
    std::fs::remove_file(&file).unwrap();
}
