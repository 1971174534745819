//! What a failure at the provider means for the money.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::providers::secrets::SecretError;
use crate::resilience::{Class, Classify};

/// Why the provider gave no result.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The provider refused. Nothing was charged by this request.
    #[error("the provider refused: {}", .0.code)]
    Refused(Refusal),
    /// It could not be reached at all.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It is too busy, or another request with this key is running.
    #[error("the provider is busy")]
    Busy {
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// It does not take our key. Nothing was charged by this request.
    #[error("the provider does not take our key")]
    KeyRefused,
    /// The connection broke after the request was sent. What it did is not known.
    #[error("the provider's answer was lost")]
    Lost(#[source] reqwest::Error),
    /// No answer in time. What it did is not known.
    #[error("the provider did not answer in time")]
    NoAnswer,
    /// The provider failed. What it did is not known.
    #[error("the provider failed with status {0}")]
    Broken(u16),
    /// An answer that cannot be read. What it did is not known.
    #[error("the provider's answer cannot be read")]
    Unreadable,
    /// The request was not made: no time was left, or too many are under way.
    #[error("the provider was not called")]
    NotStarted,
    /// The request was not made: our keys cannot be read.
    #[error("the provider's keys cannot be read")]
    NotSent(#[source] SecretError),
}

/// A refusal, as the provider gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's code, such as `card_declined`.
    pub code: String,
    /// Whether it is the card's fault.
    pub card: bool,
    /// The payment, if one was made.
    pub payment_id: Option<String>,
}

impl Refusal {
    /// Whether the payment is in no state for what was asked.
    pub fn is_unexpected_state(&self) -> bool {
        self.code == "payment_intent_unexpected_state"
    }

    /// Whether what it was about is not there.
    pub fn is_missing(&self) -> bool {
        self.code == "resource_missing"
    }
}

#[derive(Deserialize)]
struct Document {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    type_: String,
    code: Option<String>,
    payment_intent: Option<Intent>,
}

#[derive(Deserialize)]
struct Intent {
    id: String,
}

impl PaymentError {
    /// Whether it is proven that this request charged nothing.
    pub fn proves_no_charge(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Unreachable(_)
                | Self::Busy { .. }
                | Self::KeyRefused
                | Self::NotStarted
                | Self::NotSent(_)
        )
    }

    pub(super) fn from_transport(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Unreachable(error)
        } else {
            Self::Lost(error)
        }
    }

    pub(super) fn from_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        if status.is_server_error() {
            return Self::Broken(status.as_u16());
        }
        let Ok(Document { error }) = serde_json::from_slice(body) else {
            return Self::Unreadable;
        };
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Self::KeyRefused;
        }
        // A conflict: the first request with this key is running and may charge.
        if status == StatusCode::CONFLICT || error.type_ == "idempotency_error" {
            return Self::Broken(status.as_u16());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Self::Busy { retry_after };
        }
        let card = error.type_ == "card_error";
        let code = error.code.unwrap_or(error.type_);
        Self::Refused(Refusal {
            code,
            card,
            payment_id: error.payment_intent.map(|intent| intent.id),
        })
    }
}

impl Classify for PaymentError {
    fn class(&self) -> Class {
        match self {
            Self::Refused(_) => Class::Caller,
            Self::Unreadable | Self::KeyRefused => Class::Permanent,
            _ => Class::Transient,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after } => *retry_after,
            _ => None,
        }
    }
}
