//! What happened, as other functions are told of it.

mod envelope;

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use super::activity::Activity;
use super::intent::RejectionReason;

pub use envelope::{BODY_BYTES_MAX, Envelope, Place, UnknownEvent};

/// A queue that events go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Orders and payments; read by `order-worker`.
    Orders,
    /// Mail; read by `mailer`.
    Mail,
    /// What the last-good catalogue must follow; read by `projector`.
    Catalogue,
    /// What trending, recommendations and figures are made of; read by `projector`.
    Analytics,
}

impl Queue {
    /// Every queue there is.
    pub const ALL: [Self; 4] = [Self::Orders, Self::Mail, Self::Catalogue, Self::Analytics];

    /// The last part of the queue's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Mail => "mail",
            Self::Catalogue => "catalogue",
            Self::Analytics => "analytics",
        }
    }

    /// The queue of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }
}

/// What happened. The aggregate that it happened to is in the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// Somebody registered; their address must be verified.
    AccountRegistered {
        /// The account.
        user_id: Uuid,
    },
    /// Somebody registered with an address that has an account.
    AddressTaken {
        /// The account that has it.
        user_id: Uuid,
    },
    /// A new verification mail was asked for.
    VerificationRequested {
        /// The account.
        user_id: Uuid,
    },
    /// A new password was asked for by somebody who forgot theirs.
    PasswordResetRequested {
        /// The account.
        user_id: Uuid,
    },
    /// An account has another password.
    PasswordChanged {
        /// The account.
        user_id: Uuid,
    },
    /// An account has a new second factor.
    SecondFactorSet {
        /// The account.
        user_id: Uuid,
    },
    /// An order's payment is due or its outcome must be found out.
    PaymentDue {
        /// The order.
        order_id: Uuid,
    },
    /// An order was accepted without the database and is to be placed. A nudge:
    /// what is to be done stands elsewhere.
    OrderReceived {
        /// Who ordered.
        customer_id: Uuid,
        /// The order.
        order_id: Uuid,
    },
    /// A provider's webhook was stored and must be applied.
    WebhookReceived {
        /// The provider's event id.
        provider_event_id: String,
    },
    /// An order was paid.
    OrderPaid {
        /// The order.
        order_id: Uuid,
    },
    /// An order's payment failed after it had been accepted.
    OrderPaymentFailed {
        /// The order.
        order_id: Uuid,
    },
    /// An order was cancelled.
    OrderCancelled {
        /// The order.
        order_id: Uuid,
    },
    /// An order that was accepted could not be filled.
    OrderRejected {
        /// The order.
        order_id: Uuid,
        /// Why.
        reason: RejectionReason,
        /// About which SKUs; empty when it is about the whole order.
        skus: Vec<String>,
    },
    /// An order's payment must be confirmed by the customer, who waits for no answer any more.
    OrderNeedsAuthentication {
        /// The order.
        order_id: Uuid,
    },
    /// A refund must be made at the provider or in the wallet.
    RefundDue {
        /// The order.
        order_id: Uuid,
        /// The refund.
        refund_id: Uuid,
    },
    /// Parts of an order are on their way.
    OrderFulfilled {
        /// The order.
        order_id: Uuid,
        /// The shipment.
        fulfilment_id: Uuid,
    },
    /// What is shown of a product changed, or whether it is shown at all.
    ProductChanged {
        /// The product.
        product_id: Uuid,
    },
    /// The tree of categories changed.
    CategoriesChanged,
    /// Shipping or tax rates changed.
    RatesChanged,
    /// Browsers reported what people look at. In no journal: it is sent at once, or lost.
    ActivityReported {
        /// Each stands for so many, because the others were left out.
        weight: u32,
        /// What they did.
        activities: Vec<Activity>,
    },
}

/// What [`Event::CategoriesChanged`] is about.
pub const CATEGORIES: Uuid = uuid!("00000000-0000-8000-8000-0000000ca7e6");

/// What [`Event::RatesChanged`] is about.
pub const RATES: Uuid = uuid!("00000000-0000-8000-8000-0000000007a7");

impl Event {
    /// The version of the payloads' shapes.
    pub const VERSION: i16 = 1;

    /// The type's name on the wire.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::AccountRegistered { .. } => "account_registered",
            Self::AddressTaken { .. } => "address_taken",
            Self::VerificationRequested { .. } => "verification_requested",
            Self::PasswordResetRequested { .. } => "password_reset_requested",
            Self::PasswordChanged { .. } => "password_changed",
            Self::SecondFactorSet { .. } => "second_factor_set",
            Self::PaymentDue { .. } => "payment_due",
            Self::OrderReceived { .. } => "order_received",
            Self::WebhookReceived { .. } => "webhook_received",
            Self::OrderPaid { .. } => "order_paid",
            Self::OrderPaymentFailed { .. } => "order_payment_failed",
            Self::OrderCancelled { .. } => "order_cancelled",
            Self::OrderRejected { .. } => "order_rejected",
            Self::OrderNeedsAuthentication { .. } => "order_needs_authentication",
            Self::RefundDue { .. } => "refund_due",
            Self::OrderFulfilled { .. } => "order_fulfilled",
            Self::ProductChanged { .. } => "product_changed",
            Self::CategoriesChanged => "categories_changed",
            Self::RatesChanged => "rates_changed",
            Self::ActivityReported { .. } => "activity_reported",
        }
    }

    /// The queues that it goes to.
    pub const fn queues(&self) -> &'static [Queue] {
        match self {
            Self::PaymentDue { .. }
            | Self::OrderReceived { .. }
            | Self::WebhookReceived { .. }
            | Self::RefundDue { .. } => &[Queue::Orders],
            Self::AccountRegistered { .. }
            | Self::AddressTaken { .. }
            | Self::VerificationRequested { .. }
            | Self::PasswordResetRequested { .. }
            | Self::PasswordChanged { .. }
            | Self::SecondFactorSet { .. }
            | Self::OrderPaymentFailed { .. }
            | Self::OrderRejected { .. }
            | Self::OrderNeedsAuthentication { .. }
            | Self::OrderFulfilled { .. } => &[Queue::Mail],
            // What was bought together changes with both.
            Self::OrderPaid { .. } | Self::OrderCancelled { .. } => {
                &[Queue::Mail, Queue::Analytics]
            }
            Self::ActivityReported { .. } => &[Queue::Analytics],
            Self::ProductChanged { .. } | Self::CategoriesChanged | Self::RatesChanged => {
                &[Queue::Catalogue]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_name_is_the_tag_on_the_wire() {
        let id = Uuid::nil();
        let events = [
            Event::AccountRegistered { user_id: id },
            Event::PasswordResetRequested { user_id: id },
            Event::PasswordChanged { user_id: id },
            Event::SecondFactorSet { user_id: id },
            Event::PaymentDue { order_id: id },
            Event::WebhookReceived {
                provider_event_id: "evt_1".into(),
            },
            Event::OrderPaid { order_id: id },
            Event::OrderReceived {
                customer_id: id,
                order_id: id,
            },
            Event::OrderRejected {
                order_id: id,
                reason: RejectionReason::OutOfStock,
                skus: Vec::new(),
            },
            Event::OrderNeedsAuthentication { order_id: id },
            Event::ProductChanged { product_id: id },
            Event::CategoriesChanged,
            Event::ActivityReported {
                weight: 10,
                activities: Vec::new(),
            },
        ];
        for event in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["type"], event.type_name());
            assert_eq!(Event::deserialize(&json).unwrap(), event);
        }
    }

    #[test]
    fn queue_is_found_by_its_name() {
        for queue in Queue::ALL {
            assert_eq!(Queue::from_name(queue.name()), Some(queue));
        }
        assert_eq!(Queue::from_name("orders-dlq"), None);
    }
}
