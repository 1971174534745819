//! Lambda: other functions of ours, invoked to be kept warm.

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;

use super::AwsError;
use crate::resilience::{CallError, Class, Classify, Intent, call};

/// Why a function did not answer well.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda did not run it.
    #[error("lambda did not run it")]
    NotRun(#[source] AwsError),
    /// It ran and broke.
    #[error("it broke: {0}")]
    Broke(String),
}

impl Classify for InvokeError {
    fn class(&self) -> Class {
        match self {
            Self::NotRun(error) => error.class(),
            Self::Broke(_) => Class::Permanent,
        }
    }
}

/// Invokes functions.
#[derive(Clone)]
pub struct Functions {
    client: Client,
}

impl Functions {
    /// Invokes through `aws`.
    pub fn new(aws: &SdkConfig) -> Self {
        Self {
            client: Client::new(aws),
        }
    }

    /// Runs `function` (`name:alias`) with `payload` and waits for its answer.
    ///
    /// # Errors
    /// It was not run, did not answer in time, or broke.
    pub async fn invoke(
        &self,
        function: &str,
        payload: &str,
    ) -> Result<(), CallError<InvokeError>> {
        call(Intent::FunctionInvoke, || async {
            let invoked = self
                .client
                .invoke()
                .function_name(function)
                .payload(Blob::new(payload))
                .send()
                .await
                .map_err(|error| InvokeError::NotRun(error.into()))?;
            match invoked.function_error {
                Some(error) => Err(InvokeError::Broke(error)),
                None => Ok(()),
            }
        })
        .await
    }
}
