//! Rotations step by step, on secrets of each test's own: repeated, cut off and resumed.

mod login;
mod refused;
mod rights;
mod ring;
mod smtp_login;
mod unknown_keys;

use key_rotator::AppState;
use shared::events::{Rotation, Step};
use shared::state::KeyRotator;
use tests::TestSecrets;
use tests::state::Changed;
use uuid::Uuid;

/// A stage of a test's own: its secrets have names that no other test has.
struct Own {
    secrets: TestSecrets,
    stage: String,
}

impl Own {
    async fn new() -> Self {
        Self {
            secrets: TestSecrets::open().await,
            // No production stage, which takes no endpoints of a local stack.
            stage: format!("dev-{}", Uuid::new_v4().simple()),
        }
    }

    fn id(&self, name: &str) -> String {
        format!("holdfast/{}/{name}", self.stage)
    }

    /// What differs for a function that lives in this stage.
    fn changed(&self) -> Changed {
        Changed::new()
            .with("STAGE", &self.stage)
            .with("JWT_PRIVATE_SECRET_ID", &self.id("jwt-private"))
            .with("JWT_PUBLIC_SECRET_ID", &self.id("jwt-public"))
    }

    /// Does one step, as Secrets Manager asks for it.
    async fn step(
        &self,
        rotator: &AppState,
        secret: &str,
        (step, version): (Step, &str),
    ) -> Result<String, lambda_runtime::Error> {
        let rotation = Rotation {
            step,
            secret_id: self.id(secret),
            version: version.to_owned(),
        };
        let done = key_rotator::rotate(rotator.clone(), rotation).await?;
        Ok(done["outcome"].as_str().unwrap().to_owned())
    }

    /// Does all steps; the version that they made.
    async fn rotate(&self, rotator: &AppState, secret: &str) -> String {
        let version = self.secrets.begin_version(&self.id(secret)).await;
        for step in Step::ALL {
            self.step(rotator, secret, (step, &version)).await.unwrap();
        }
        version
    }
}

#[tokio::test]
async fn every_sample_event_is_read_and_names_a_secret_that_is_not_there() {
    let rotator = Own::new().await.changed().state::<KeyRotator>().await;
    let samples = crate::tidy::files_under("events");
    let samples = samples
        .iter()
        .filter(|path| path.starts_with("events/key-rotator-"));
    let mut tried = 0;
    for sample in samples {
        let rotation: Rotation = serde_json::from_str(&crate::tidy::read(sample)).unwrap();
        let refused = key_rotator::rotate(rotator.clone(), rotation)
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Secrets Manager did not do it",
            "{sample}"
        );
        tried += 1;
    }
    assert_eq!(tried, 2);
}
