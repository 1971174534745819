//! Orders: their states, what they hold, and why one cannot be placed or changed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::address::ShippingAddress;
use super::money::Money;
use super::payment::PaymentStatus;
use super::pricing::Totals;

/// Where an order stands. The database refuses any other transition than those
/// of `orders_check_transition`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrderStatus {
    /// Accepted and stored outside of the database, which was away.
    Received,
    /// Stock is reserved, the payment is not made yet.
    PaymentPending,
    /// It may have been charged. Keeps its stock; left only by reconciliation.
    PaymentUnknown,
    /// The payment was declined; an end.
    PaymentFailed,
    /// Paid, to be sent.
    Paid,
    /// Everything is on its way.
    Fulfilled,
    /// Everything has arrived.
    Delivered,
    /// Called off; an end.
    Cancelled,
    /// Accepted, but could not be filled; an end.
    Rejected,
    /// Everything was paid back; an end.
    Refunded,
}

impl OrderStatus {
    /// All of them, in the order in which most orders have them.
    pub const ALL: [Self; 10] = [
        Self::Received,
        Self::PaymentPending,
        Self::PaymentUnknown,
        Self::PaymentFailed,
        Self::Paid,
        Self::Fulfilled,
        Self::Delivered,
        Self::Cancelled,
        Self::Rejected,
        Self::Refunded,
    ];
}

/// How an order is paid.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentMethodKind {
    /// Through the provider.
    Card,
    /// From the shop's own wallet.
    Wallet,
}

/// An order, as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Order {
    /// UUIDv8, made from the customer and their key.
    pub id: Uuid,
    /// Where it stands.
    pub status: OrderStatus,
    /// The shop's currency.
    #[schema(value_type = String, example = "EUR")]
    pub currency: super::money::Currency,
    /// What was ordered, sorted by SKU.
    pub lines: Vec<OrderLine>,
    /// What it comes to.
    pub totals: Totals,
    /// How it is paid.
    pub payment: OrderPayment,
    /// What was paid back so far.
    pub refunded: Money,
    /// Where it goes.
    pub shipping_address: ShippingAddress,
    /// Every status it had.
    pub history: Vec<HistoryEntry>,
    /// Shipments.
    pub fulfilments: Vec<Fulfilment>,
    /// When it was placed.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// One SKU of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderLine {
    /// The variant's SKU.
    #[schema(example = "MUG-BLUE")]
    pub sku: String,
    /// The product.
    pub product_id: Uuid,
    /// Product and variant, as they were called when it was ordered.
    pub title: String,
    /// How many.
    pub quantity: i32,
    /// How many are on their way.
    pub fulfilled_quantity: i32,
    /// What one cost when it was ordered.
    pub unit_price: Money,
    /// Quantity times price.
    pub line_total: Money,
}

/// How an order is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderPayment {
    /// Card or wallet.
    pub method: PaymentMethodKind,
    /// A fold of the order's payment events.
    pub status: PaymentStatus,
    /// The card's last digits, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last4: Option<String>,
}

/// A status and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HistoryEntry {
    /// The status.
    pub status: OrderStatus,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
}

/// A shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fulfilment {
    /// Its id.
    pub id: Uuid,
    /// Who carries it.
    #[schema(example = "DHL")]
    pub carrier: String,
    /// The carrier's number for it.
    #[schema(example = "00340434161094042557")]
    pub tracking_number: String,
    /// What is in it.
    pub lines: Vec<FulfilmentLine>,
    /// When it was sent.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// A SKU and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FulfilmentLine {
    /// The variant's SKU.
    pub sku: String,
    /// How many.
    #[schema(minimum = 1)]
    pub quantity: i32,
}

/// A SKU of which there is not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Shortage {
    /// The variant's SKU.
    pub sku: String,
    /// How many were asked for.
    pub requested: u32,
    /// How many there are.
    pub available: i32,
}

/// Why an order cannot be placed or changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// SKUs that do not exist or are not for sale.
    #[error("some SKUs are not for sale")]
    UnknownSkus(Vec<String>),
    /// Fewer units are left than asked for.
    #[error("not enough stock")]
    InsufficientStock(Vec<Shortage>),
    /// The total is not the expected one any more.
    #[error("the total has changed")]
    TotalChanged(Money),
    /// More than a payment can carry.
    #[error("the total is too large")]
    TotalTooLarge,
    /// The saved card does not exist, or is not the customer's.
    #[error("no such payment method")]
    UnknownPaymentMethod,
    /// The customer's account was closed meanwhile.
    #[error("the account is closed")]
    AccountClosed,
    /// No such order, or not the caller's.
    #[error("no such order")]
    NotFound,
    /// Its state does not allow it.
    #[error("{0}")]
    Conflict(&'static str),
}
