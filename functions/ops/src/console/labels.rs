//! What is stored, in words, and how bad it is.

use serde::Serialize;
use serde_json::Value;
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::domain::jobs::Outcome;
use shared::domain::order::{OrderStatus, PaymentMethodKind};
use shared::domain::payment::{PaymentEventKind, PaymentStatus};
use shared::store::payments::AttemptState;
use shared::store::refunds::RefundState;

/// Something that is stored as one of a few names.
pub(crate) trait Label: Serialize {
    /// How bad it is: `good`, `warn` or `bad`; empty, when it is neither.
    fn tone(&self) -> &'static str {
        ""
    }

    /// Its name, as it is stored: `payment_pending`.
    fn stored(&self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// Its name in words: `payment pending`.
    fn label(&self) -> String {
        self.stored().replace('_', " ")
    }
}

impl Label for DeadLetterStatus {
    fn tone(&self) -> &'static str {
        match self {
            Self::Parked => "bad",
            Self::Waiting | Self::Replaying => "warn",
            Self::Replayed => "good",
            Self::Discarded => "",
        }
    }
}

impl Label for ErrorClass {}

impl Label for OrderStatus {
    fn tone(&self) -> &'static str {
        match self {
            Self::PaymentUnknown => "bad",
            Self::Received | Self::PaymentPending | Self::PaymentFailed | Self::Rejected => "warn",
            Self::Paid | Self::Fulfilled | Self::Delivered => "good",
            Self::Cancelled | Self::Refunded => "",
        }
    }
}

impl Label for PaymentMethodKind {}

impl Label for Outcome {
    fn tone(&self) -> &'static str {
        match self {
            Self::Done => "good",
            Self::Failed | Self::Lost => "bad",
            Self::Running | Self::NotDue => "",
        }
    }
}

impl Label for PaymentStatus {
    fn tone(&self) -> &'static str {
        match self {
            Self::Unknown => "bad",
            Self::Pending | Self::AuthenticationRequired | Self::Declined => "warn",
            Self::Captured => "good",
            Self::Cancelled | Self::PartiallyRefunded | Self::Refunded => "",
        }
    }
}

impl Label for PaymentEventKind {
    fn tone(&self) -> &'static str {
        match self {
            Self::Unknown | Self::RefundFailed => "bad",
            Self::AuthenticationRequired | Self::Declined => "warn",
            Self::Captured | Self::Refunded => "good",
            Self::Started | Self::Cancelled | Self::RefundRequested => "",
        }
    }
}

impl Label for AttemptState {
    fn tone(&self) -> &'static str {
        match self {
            Self::Unknown => "bad",
            Self::Pending | Self::Started | Self::RequiresAction | Self::Declined => "warn",
            Self::Captured => "good",
            Self::Cancelled => "",
        }
    }
}

impl Label for RefundState {
    fn tone(&self) -> &'static str {
        match self {
            Self::Failed => "bad",
            Self::Pending => "warn",
            Self::Succeeded => "good",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_has_a_name_in_words() {
        assert_eq!(OrderStatus::PaymentPending.stored(), "payment_pending");
        assert_eq!(OrderStatus::PaymentPending.label(), "payment pending");
        assert_eq!(PaymentStatus::Captured.label(), "captured");
        assert_eq!(PaymentEventKind::RefundFailed.label(), "refund failed");
        assert_eq!(AttemptState::RequiresAction.label(), "requires action");
        assert_eq!(RefundState::Pending.label(), "pending");
        assert_eq!(PaymentMethodKind::Wallet.label(), "wallet");
        assert_eq!(ErrorClass::NoAnswer.label(), "no answer");
        for status in DeadLetterStatus::ALL {
            assert_eq!(status.label(), status.name());
        }
    }

    #[test]
    fn every_status_of_an_order_has_its_own_name() {
        let names = OrderStatus::ALL.map(|status| status.label());
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
