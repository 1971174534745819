//! Stripe's objects, as far as we use them; the field names and their order are Stripe's.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The API version whose shapes these are.
pub(super) const API_VERSION: &str = "2025-09-30.clover";

pub(super) type Metadata = BTreeMap<String, String>;

/// What is kept in a table and listed newest first.
pub(super) trait Object {
    fn id(&self) -> &str;
    fn created(&self) -> i64;
}

macro_rules! object {
    ($($name:ident),*) => {$(
        impl Object for $name {
            fn id(&self) -> &str {
                &self.id
            }
            fn created(&self) -> i64 {
                self.created
            }
        }
    )*};
}
object!(PaymentIntent, Customer, Charge, Refund, Event);

/// A payment from its first wish to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) amount: i64,
    pub(super) amount_capturable: i64,
    pub(super) amount_received: i64,
    pub(super) automatic_payment_methods: Option<AutomaticMethods>,
    pub(super) canceled_at: Option<i64>,
    pub(super) cancellation_reason: Option<String>,
    pub(super) capture_method: String,
    pub(super) client_secret: String,
    pub(super) confirmation_method: String,
    pub(super) created: i64,
    pub(super) currency: String,
    pub(super) customer: Option<String>,
    pub(super) description: Option<String>,
    pub(super) last_payment_error: Option<Value>,
    pub(super) latest_charge: Option<String>,
    pub(super) livemode: bool,
    pub(super) metadata: Metadata,
    pub(super) next_action: Option<Value>,
    pub(super) payment_method: Option<String>,
    pub(super) payment_method_types: Vec<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) setup_future_usage: Option<String>,
    pub(super) statement_descriptor: Option<String>,
    pub(super) statement_descriptor_suffix: Option<String>,
    pub(super) status: Status,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AutomaticMethods {
    pub(super) allow_redirects: String,
    pub(super) enabled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// A card that somebody may pay with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) billing_details: Value,
    pub(super) card: Value,
    pub(super) created: i64,
    pub(super) customer: Option<String>,
    pub(super) livemode: bool,
    pub(super) metadata: Metadata,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A payment method and what only its issuer knows of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct HeldMethod {
    pub(super) method: PaymentMethod,
    /// The name of the test card.
    pub(super) card: String,
    /// Used without a customer, or detached: never to be used again.
    pub(super) spent: bool,
}

impl Object for HeldMethod {
    fn id(&self) -> &str {
        &self.method.id
    }
    fn created(&self) -> i64 {
        self.method.created
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) created: i64,
    pub(super) description: Option<String>,
    pub(super) email: Option<String>,
    pub(super) livemode: bool,
    pub(super) metadata: Metadata,
    pub(super) name: Option<String>,
    pub(super) phone: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
}

/// One attempt to take money.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) amount: i64,
    pub(super) amount_captured: i64,
    pub(super) amount_refunded: i64,
    pub(super) captured: bool,
    pub(super) created: i64,
    pub(super) currency: String,
    pub(super) customer: Option<String>,
    pub(super) description: Option<String>,
    pub(super) disputed: bool,
    pub(super) failure_code: Option<String>,
    pub(super) failure_message: Option<String>,
    pub(super) livemode: bool,
    pub(super) metadata: Metadata,
    pub(super) outcome: Value,
    pub(super) paid: bool,
    pub(super) payment_intent: String,
    pub(super) payment_method: String,
    pub(super) payment_method_details: Value,
    pub(super) refunded: bool,
    pub(super) status: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) amount: i64,
    pub(super) charge: String,
    pub(super) created: i64,
    pub(super) currency: String,
    pub(super) metadata: Metadata,
    pub(super) payment_intent: String,
    pub(super) reason: Option<String>,
    pub(super) status: String,
}

/// Something that happened, as it is listed and sent to the webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) api_version: String,
    pub(super) created: i64,
    pub(super) data: Value,
    pub(super) livemode: bool,
    pub(super) pending_webhooks: u32,
    pub(super) request: Value,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A fresh id such as `pi_…`, with 24 random letters and digits.
pub(super) fn fresh_id(prefix: &str) -> String {
    format!("{prefix}_{}", random_text(24))
}

pub(super) fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}
