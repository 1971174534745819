//! What the provider answers, and what it means.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::Refusal;
use super::{Made, PaymentError};

/// What a payment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Money has moved.
    Captured {
        /// The provider's payment.
        payment_id: String,
        /// The card's last digits.
        last4: Option<String>,
    },
    /// The customer must authenticate.
    AuthenticationRequired {
        /// The provider's payment.
        payment_id: String,
        /// What the customer's browser authenticates with.
        client_secret: String,
    },
    /// The provider refused; nothing was charged.
    Declined {
        /// The provider's payment, if one was made.
        payment_id: Option<String>,
    },
    /// It can charge no more, and has not.
    Cancelled {
        /// The provider's payment.
        payment_id: String,
        /// Whether a card had been declined for it before.
        declined: bool,
    },
    /// The provider is still at it.
    Processing {
        /// The provider's payment.
        payment_id: String,
    },
}

/// A payment method, as the provider describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The provider's id.
    pub id: String,
    /// Such as `visa`.
    pub brand: String,
    /// The last digits.
    pub last4: String,
    /// 1 to 12.
    pub exp_month: i16,
    /// Four digits.
    pub exp_year: i16,
}

#[derive(Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) client_secret: Option<String>,
    #[serde(default)]
    pub(super) last_payment_error: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) latest_charge: Option<LatestCharge>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum LatestCharge {
    Expanded {
        payment_method_details: Option<MethodDetails>,
    },
    Id(#[allow(dead_code, reason = "only tells the two shapes apart")] String),
}

#[derive(Deserialize)]
pub(super) struct MethodDetails {
    pub(super) card: Option<CardDetails>,
}

#[derive(Deserialize)]
pub(super) struct CardDetails {
    pub(super) brand: Option<String>,
    pub(super) last4: Option<String>,
    pub(super) exp_month: Option<i16>,
    pub(super) exp_year: Option<i16>,
}

#[derive(Deserialize)]
pub(super) struct Listing {
    pub(super) data: Vec<Listed>,
    pub(super) has_more: bool,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    #[serde(default)]
    pub(super) metadata: std::collections::HashMap<String, String>,
    /// Refunds are listed in the same shape; theirs is not looked at.
    #[serde(default)]
    status: String,
    #[serde(default)]
    amount: i64,
}

impl Listed {
    pub(super) fn attempt_id(&self) -> Option<Uuid> {
        self.metadata.get("attempt_id")?.parse().ok()
    }

    pub(super) fn made(self) -> Option<Made> {
        Some(Made {
            attempt_id: self.attempt_id()?,
            charged: self.status == "succeeded",
            amount_minor: self.amount,
            payment_id: self.id,
        })
    }
}

/// A walk through the provider's list of payments, the newest first.
pub(super) struct Pages {
    since: OffsetDateTime,
    pub(super) until: Option<OffsetDateTime>,
    after: Option<String>,
    ended: bool,
}

impl Pages {
    pub(super) fn since(since: OffsetDateTime) -> Self {
        Self {
            since,
            until: None,
            after: None,
            ended: false,
        }
    }

    /// What the next page is asked for by.
    pub(super) fn next_form(&self) -> Option<Vec<(&'static str, String)>> {
        if self.ended {
            return None;
        }
        let mut form = vec![
            ("created[gte]", self.since.unix_timestamp().to_string()),
            ("limit", "100".to_owned()),
        ];
        let until = self.until.map(|until| until.unix_timestamp().to_string());
        form.extend(until.map(|until| ("created[lt]", until)));
        form.extend(self.after.clone().map(|id| ("starting_after", id)));
        Some(form)
    }

    pub(super) fn note(&mut self, page: &Listing) {
        self.after = page.data.last().map(|payment| payment.id.clone());
        self.ended = !page.has_more || self.after.is_none();
    }
}

#[derive(Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct MethodAnswer {
    pub(super) id: String,
    pub(super) card: Option<CardDetails>,
}

/// What an answer about a payment means. A declined card is an outcome, not an error.
pub(super) fn outcome(
    answer: Result<PaymentIntent, PaymentError>,
) -> Result<Outcome, PaymentError> {
    let intent = match answer {
        Ok(intent) => intent,
        Err(PaymentError::Refused(Refusal {
            card: true,
            payment_id,
            ..
        })) => {
            return Ok(Outcome::Declined { payment_id });
        }
        Err(error) => return Err(error),
    };
    let payment_id = intent.id;
    Ok(match intent.status.as_str() {
        "succeeded" => Outcome::Captured {
            payment_id,
            last4: last4(intent.latest_charge),
        },
        "requires_action" => {
            let client_secret = intent.client_secret.ok_or(PaymentError::Unreadable)?;
            Outcome::AuthenticationRequired {
                payment_id,
                client_secret,
            }
        }
        "canceled" => Outcome::Cancelled {
            payment_id,
            declined: intent.last_payment_error.is_some(),
        },
        "requires_payment_method" if intent.last_payment_error.is_some() => Outcome::Declined {
            payment_id: Some(payment_id),
        },
        _ => Outcome::Processing { payment_id },
    })
}

fn last4(charge: Option<LatestCharge>) -> Option<String> {
    match charge? {
        LatestCharge::Expanded {
            payment_method_details,
        } => payment_method_details?.card?.last4,
        LatestCharge::Id(_) => None,
    }
}
