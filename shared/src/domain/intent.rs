//! An order that was accepted without the database: what was promised to whom.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::address::ShippingAddress;
use super::events::Event;
use super::idempotency::{Fingerprint, IdempotencyKey};
use super::money::Money;
use super::order::{
    HistoryEntry, Order, OrderError, OrderLine, OrderPayment, OrderStatus, PaymentMethodKind,
};
use super::payment::{Means, PaymentStatus};
use super::pricing::Priced;

/// An order that was accepted while no database node took writes. It is stored
/// until a worker has placed it, and then as long as its key may come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderIntent {
    /// Who orders.
    pub customer_id: Uuid,
    /// Made from customer and key.
    pub order_id: Uuid,
    /// Under which key.
    pub key: IdempotencyKey,
    /// What was asked for under it.
    pub fingerprint: Fingerprint,
    /// What it costs: this is charged, or nothing is.
    pub agreed: Priced,
    /// Where it goes.
    pub address: ShippingAddress,
    /// How it is paid.
    pub means: Means,
    /// The cart that is removed once it is ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartVersion>,
    /// When it was accepted, to the microsecond, as the database keeps it.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// Whether it is still to be placed.
    pub state: IntentState,
}

/// Whether an accepted order is still to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentState {
    /// It waits for the database.
    Pending,
    /// The database has it, whatever became of it.
    Done,
}

/// A cart as it was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartVersion {
    /// The cart.
    pub id: Uuid,
    /// Its version at that moment.
    pub version: i64,
}

impl OrderIntent {
    /// What tells a worker of it.
    pub fn event(&self) -> Event {
        Event::OrderReceived {
            customer_id: self.customer_id,
            order_id: self.order_id,
        }
    }

    /// The order, as its customer sees it meanwhile.
    pub fn order(&self) -> Order {
        Snapshot {
            id: self.order_id,
            status: OrderStatus::Received,
            priced: &self.agreed,
            method: self.means.kind(),
            address: &self.address,
            at: self.received_at,
        }
        .order()
    }
}

/// An order at its beginning, when nothing has happened to it yet.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its first status.
    pub status: OrderStatus,
    /// What was ordered, and what it comes to.
    pub priced: &'a Priced,
    /// How it is paid.
    pub method: PaymentMethodKind,
    /// Where it goes.
    pub address: &'a ShippingAddress,
    /// When it was placed.
    pub at: OffsetDateTime,
}

impl Snapshot<'_> {
    /// The order as its customer sees it.
    pub fn order(&self) -> Order {
        let currency = self.priced.totals.total.currency();
        let line = |line: &super::pricing::PricedLine| OrderLine {
            sku: line.sku.clone(),
            product_id: line.product_id,
            title: line.title.clone(),
            quantity: i32::try_from(line.quantity).unwrap_or(i32::MAX),
            fulfilled_quantity: 0,
            unit_price: line.unit_price,
            line_total: line.line_total,
        };
        Order {
            id: self.id,
            status: self.status,
            currency,
            lines: self.priced.lines.iter().map(line).collect(),
            totals: self.priced.totals,
            payment: OrderPayment {
                method: self.method,
                status: PaymentStatus::Pending,
                last4: None,
            },
            refunded: Money::zero(currency),
            shipping_address: self.address.clone(),
            history: vec![HistoryEntry {
                status: self.status,
                at: self.at,
            }],
            fulfilments: Vec::new(),
            created_at: self.at,
        }
    }
}

/// Why an accepted order could not be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// Fewer units were left than ordered.
    OutOfStock,
    /// Something is not sold any more.
    NotForSale,
    /// The saved card is not there.
    PaymentMethodGone,
    /// The customer has left.
    AccountClosed,
}

/// Why an accepted order is rejected, and the SKUs that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectionReason,
    /// About which SKUs; empty when it is about the whole order.
    pub skus: Vec<String>,
}

impl Rejection {
    /// What `error` means for an order that was accepted; `None` when it is no
    /// reason to reject one.
    pub fn because_of(error: &OrderError) -> Option<Self> {
        let (reason, skus) = match error {
            OrderError::InsufficientStock(shortages) => (
                RejectionReason::OutOfStock,
                shortages.iter().map(|short| short.sku.clone()).collect(),
            ),
            OrderError::UnknownSkus(skus) => (RejectionReason::NotForSale, skus.clone()),
            OrderError::UnknownPaymentMethod => (RejectionReason::PaymentMethodGone, Vec::new()),
            OrderError::AccountClosed => (RejectionReason::AccountClosed, Vec::new()),
            OrderError::TotalChanged(_)
            | OrderError::TotalTooLarge
            | OrderError::NotFound
            | OrderError::Conflict(_) => return None,
        };
        Some(Self { reason, skus })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::money::Currency;
    use crate::domain::order::Shortage;
    use crate::domain::pricing::{PricedLine, Totals};

    /// Two mugs for 21.98 EUR.
    pub(crate) fn intent() -> OrderIntent {
        let eur = |minor| Money::new(minor, Currency::try_from("EUR").unwrap());
        let address = serde_json::json!({
            "name": "Ada", "line1": "1 Main", "city": "Berlin", "postal_code": "10115", "country": "DE"
        });
        OrderIntent {
            customer_id: Uuid::from_u128(1),
            order_id: Uuid::from_u128(2),
            key: IdempotencyKey::try_from("key".to_owned()).unwrap(),
            fingerprint: Fingerprint::of("", b"body"),
            agreed: Priced {
                lines: vec![PricedLine {
                    sku: "MUG".into(),
                    product_id: Uuid::from_u128(3),
                    seller_id: Uuid::from_u128(4),
                    title: "Mug".into(),
                    quantity: 2,
                    unit_price: eur(1099),
                    line_total: eur(2198),
                }],
                totals: Totals {
                    subtotal: eur(2198),
                    discount: eur(0),
                    shipping: eur(0),
                    tax: eur(351),
                    tax_included: true,
                    total: eur(2198),
                },
            },
            address: serde_json::from_value(address).unwrap(),
            means: Means::Token("pm_card_visa".into()),
            cart: Some(CartVersion {
                id: Uuid::from_u128(5),
                version: 3,
            }),
            received_at: OffsetDateTime::UNIX_EPOCH,
            state: IntentState::Pending,
        }
    }

    #[test]
    fn accepted_order_is_shown_as_received_at_the_agreed_total() {
        let intent = intent();
        let order = intent.order();
        assert_eq!(order.status, OrderStatus::Received);
        assert_eq!(order.totals, intent.agreed.totals);
        assert_eq!((order.lines.len(), order.lines[0].quantity), (1, 2));
        assert_eq!(order.created_at, intent.received_at);
    }

    #[test]
    fn only_what_cannot_be_filled_is_rejected() {
        let short = OrderError::InsufficientStock(vec![Shortage {
            sku: "MUG".into(),
            requested: 2,
            available: 1,
        }]);
        let rejection = Rejection::because_of(&short).unwrap();
        assert_eq!(
            (rejection.reason, rejection.skus),
            (RejectionReason::OutOfStock, vec!["MUG".to_owned()])
        );
        assert_eq!(Rejection::because_of(&OrderError::NotFound), None);
    }
}
