//! What is outside: secrets, queues, objects, payments, mail.

pub mod functions;
pub mod mail;
pub mod objects;
pub mod passwords;
pub mod payments;
pub mod probes;
pub mod queues;
pub mod secrets;
pub mod signing;
mod tls;

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

pub use tls::{aws_http_client, http_client};

use crate::resilience::{Class, Classify};

/// A failure that an AWS service answered, or that kept it from answering.
#[derive(Debug, thiserror::Error)]
#[error("{code}")]
pub struct AwsError {
    /// The service's error code, or what kind of failure it was.
    pub code: String,
    /// The HTTP status; absent when there was no answer.
    pub status: Option<u16>,
    retry_after: Option<Duration>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Classify for AwsError {
    fn class(&self) -> Class {
        const THROTTLED: [&str; 4] = [
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "SlowDown",
        ];
        match self.status {
            None | Some(429 | 500..) => Class::Transient,
            _ if THROTTLED.contains(&self.code.as_str()) => Class::Transient,
            Some(_) => Class::Caller,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// The value of a `Retry-After` in seconds; its other form, a date, is of no use to a retry.
fn seconds(retry_after: Option<&str>) -> Option<Duration> {
    retry_after?.trim().parse().ok().map(Duration::from_secs)
}

impl AwsError {
    /// Whether it says that this function may not ask. A refusal of a `HEAD` has no
    /// body, and so no code: only its status tells.
    pub(crate) fn is_denial(&self) -> bool {
        self.status == Some(403)
            || matches!(self.code.as_str(), "AccessDenied" | "AccessDeniedException")
    }

    /// The answer began well and broke off.
    pub(crate) fn interrupted(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            code: "broke off".to_owned(),
            status: None,
            retry_after: None,
            source: Box::new(source),
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for AwsError
where
    E: std::error::Error + aws_sdk_dynamodb::error::ProvideErrorMetadata + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let retry_after = error
            .raw_response()
            .and_then(|response| seconds(response.headers().get("retry-after")));
        let code = error
            .as_service_error()
            .and_then(|service| service.code())
            .map_or_else(
                || {
                    let kind = match &error {
                        SdkError::DispatchFailure(_) => "cannot be reached",
                        SdkError::TimeoutError(_) => "timed out",
                        _ => "unreadable answer",
                    };
                    kind.to_owned()
                },
                ToOwned::to_owned,
            );
        Self {
            code,
            status,
            retry_after,
            source: Box::new(error),
        }
    }
}
