//! Payments: what happened, and what follows from it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::order::PaymentMethodKind;

/// With what somebody wants to pay, before anything was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// A card, by the provider's name for it.
    Token(String),
    /// A saved card, by ours.
    SavedCard(Uuid),
    /// The customer's wallet.
    Wallet,
}

impl Means {
    /// Which kind it is.
    pub fn kind(&self) -> PaymentMethodKind {
        match self {
            Self::Token(_) | Self::SavedCard(_) => PaymentMethodKind::Card,
            Self::Wallet => PaymentMethodKind::Wallet,
        }
    }
}

/// What happened to an order's money. The list is append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentEventKind {
    /// An attempt began.
    Started,
    /// The customer must authenticate.
    AuthenticationRequired,
    /// It may have been charged.
    Unknown,
    /// Money has moved to us.
    Captured,
    /// The provider refused.
    Declined,
    /// The attempt can charge no more.
    Cancelled,
    /// Money is to move back.
    RefundRequested,
    /// Money has moved back.
    Refunded,
    /// It could not be moved back.
    RefundFailed,
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentEvent {
    /// What.
    pub kind: PaymentEventKind,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// How an order's payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Not charged yet.
    Pending,
    /// The customer must authenticate.
    AuthenticationRequired,
    /// It may have been charged.
    Unknown,
    /// Charged.
    Captured,
    /// Refused.
    Declined,
    /// Can charge no more.
    Cancelled,
    /// Some of it was paid back.
    PartiallyRefunded,
    /// All of it was paid back.
    Refunded,
}

/// Folds what happened, in order, into how the payment stands. Once money has
/// moved, nothing that is said later of the attempt takes it back.
pub fn status(events: &[PaymentEvent]) -> PaymentStatus {
    let sum = |kind| {
        events
            .iter()
            .filter(|event| event.kind == kind)
            .map(|event| event.amount_minor)
            .sum::<i64>()
    };
    let (captured, refunded) = (
        sum(PaymentEventKind::Captured),
        sum(PaymentEventKind::Refunded),
    );
    if captured > 0 {
        return match refunded {
            0 => PaymentStatus::Captured,
            some if some < captured => PaymentStatus::PartiallyRefunded,
            _ => PaymentStatus::Refunded,
        };
    }
    events
        .iter()
        .fold(PaymentStatus::Pending, |status, event| match event.kind {
            PaymentEventKind::Started => PaymentStatus::Pending,
            PaymentEventKind::AuthenticationRequired => PaymentStatus::AuthenticationRequired,
            PaymentEventKind::Unknown => PaymentStatus::Unknown,
            PaymentEventKind::Declined => PaymentStatus::Declined,
            PaymentEventKind::Cancelled => PaymentStatus::Cancelled,
            PaymentEventKind::Captured => PaymentStatus::Captured,
            PaymentEventKind::RefundRequested
            | PaymentEventKind::Refunded
            | PaymentEventKind::RefundFailed => status,
        })
}

/// Whether a text holds what looks like a card number: 13 to 19 digits, spaces and dashes aside,
/// that pass the Luhn check. Digits beside letters in one word are none: ids and SKUs have many.
pub fn holds_card_number(text: &str) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let digits_of = |word: &str| -> Option<Vec<u8>> {
        let digits = word.bytes().filter(|&byte| byte != b'-');
        digits
            .map(|byte| byte.is_ascii_digit().then(|| byte - b'0'))
            .collect()
    };
    text.split(|c: char| !is_of_word(c) && c != ' ')
        .any(|part| {
            let words: Vec<_> = part.split(' ').map(digits_of).collect();
            words.split(Option::is_none).any(|run| {
                let digits: Vec<u8> = run.iter().flatten().flatten().copied().collect();
                (13..=19).contains(&digits.len()) && luhn(&digits)
            })
        })
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit) * 2) {
            (0, _) => u32::from(digit),
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::PaymentEventKind::*;
    use super::*;

    fn fold(events: &[(PaymentEventKind, i64)]) -> PaymentStatus {
        let events: Vec<_> = events
            .iter()
            .map(|&(kind, amount_minor)| PaymentEvent { kind, amount_minor })
            .collect();
        status(&events)
    }

    #[test]
    fn payment_status_is_a_fold_of_what_happened() {
        for (events, expected) in [
            (&[][..], PaymentStatus::Pending),
            (&[(Started, 5)], PaymentStatus::Pending),
            (&[(Started, 5), (Unknown, 5)], PaymentStatus::Unknown),
            (
                &[(Started, 5), (Unknown, 5), (Captured, 5)],
                PaymentStatus::Captured,
            ),
            (
                &[(Started, 5), (Captured, 5), (Declined, 5)],
                PaymentStatus::Captured,
            ),
            (&[(Started, 5), (Declined, 5)], PaymentStatus::Declined),
            (
                &[(Captured, 5), (RefundRequested, 2), (Refunded, 2)],
                PaymentStatus::PartiallyRefunded,
            ),
            (
                &[(Captured, 5), (Refunded, 2), (Refunded, 3)],
                PaymentStatus::Refunded,
            ),
            (
                &[(Captured, 5), (RefundRequested, 5), (RefundFailed, 5)],
                PaymentStatus::Captured,
            ),
        ] {
            assert_eq!(fold(events), expected, "{events:?}");
        }
    }

    #[test]
    fn card_numbers_are_recognised() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "card 5555-5555-5555-4444!",
            "378282246310005",
            "the number is 4242 4242 4242 4242 and",
        ] {
            assert!(holds_card_number(number), "{number}");
        }
        for other in [
            "4242424242424241",
            "pm_card_visa",
            "10115",
            "123",
            "2026-11-21T12:00:00Z",
            "T-ab4242424242424242cd",
            "42424242-4242-4242-a000-0242ac120002",
        ] {
            assert!(!holds_card_number(other), "{other}");
        }
    }
}
