//! The event by which Secrets Manager has a secret rotated, one step at a time.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;

use crate::context::{self, Context};
use crate::resilience::Deadline;
use crate::resilience::policies::BATCH_TIMEOUT;
use crate::state::{AppState, KeyRotator};

/// One step of one rotation. Secrets Manager may repeat any, and begins anew with the first
/// when one failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotation {
    /// What is to be done.
    pub step: Step,
    /// The secret's ARN.
    pub secret_id: String,
    /// The version that the rotation makes.
    #[serde(rename = "ClientRequestToken")]
    pub version: String,
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Makes the new value.
    CreateSecret,
    /// Makes it known where it opens something.
    SetSecret,
    /// Tries whether it does.
    TestSecret,
    /// Makes it the current one.
    FinishSecret,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Self; 4] = [
        Self::CreateSecret,
        Self::SetSecret,
        Self::TestSecret,
        Self::FinishSecret,
    ];

    /// Its name in the event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        }
    }
}

/// Serves rotations until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_rotations<F, H>(state: AppState<KeyRotator>, rotate: H) -> Result<(), Error>
where
    H: Fn(AppState<KeyRotator>, Rotation) -> F,
    F: Future<Output = Result<Value, Error>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Rotation>| {
        let context = Context {
            request_id: event.context.request_id,
            deadline: Deadline::after(BATCH_TIMEOUT),
        };
        let work = rotate(state.clone(), event.payload);
        async move { context::scope(context, work).await }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_by_their_names() {
        for step in Step::ALL {
            let event = serde_json::json!({
                "Step": step.name(), "SecretId": "arn", "ClientRequestToken": "1", "RotationToken": "2"
            });
            let rotation: Rotation = serde_json::from_value(event).unwrap();
            assert_eq!((rotation.step, rotation.version.as_str()), (step, "1"));
        }
    }
}
