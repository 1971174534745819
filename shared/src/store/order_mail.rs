//! What mails say of an order.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::address::ShippingAddress;

/// An order and whom it is for. Amounts are minor units.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OrderMail {
    /// The order.
    pub id: Uuid,
    /// An ISO 4217 code.
    pub currency: String,
    /// The lines together.
    pub subtotal_minor: i64,
    /// What is taken off.
    pub discount_minor: i64,
    /// Shipping.
    pub shipping_minor: i64,
    /// Tax.
    pub tax_minor: i64,
    /// Whether the tax is part of the prices or comes on top of them.
    pub tax_included: bool,
    /// What the order costs.
    pub total_minor: i64,
    /// What was charged.
    pub captured_minor: i64,
    /// `card` or `wallet`.
    pub payment_method: String,
    /// The card's last digits.
    pub payment_last4: Option<String>,
    /// Until when it waits for its customer to authenticate the payment.
    pub reserved_until: Option<OffsetDateTime>,
    /// Where it goes.
    pub shipping_address: Json<ShippingAddress>,
    /// What the customer is called.
    pub customer_name: String,
    /// The customer's address for mail.
    pub customer_email: String,
}

/// One line of an order or of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OrderMailLine {
    /// The article.
    pub sku: String,
    /// What it is called.
    pub title: String,
    /// How many.
    pub quantity: i32,
    /// What they cost together, in minor units.
    pub line_total_minor: i64,
}

/// Parts of an order that are on their way.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Shipment {
    /// Who carries them.
    pub carrier: String,
    /// The carrier's number.
    pub tracking_number: String,
}

/// An order and its customer, unless the account was erased.
///
/// # Errors
/// The database's.
pub async fn order(
    tx: &mut PgConnection,
    order_id: Uuid,
) -> Result<Option<OrderMail>, sqlx::Error> {
    sqlx::query_as(
        "select o.id, o.currency, o.subtotal_minor, o.discount_minor, o.shipping_minor, o.tax_minor,
             o.tax_included, o.total_minor, o.captured_minor, o.payment_method, o.payment_last4,
             o.reserved_until, o.shipping_address, u.name as customer_name, u.email as customer_email
         from orders o join users u on u.id = o.customer_id
         where o.id = $1 and u.deleted_at is null",
    )
    .bind(order_id)
    .fetch_optional(tx)
    .await
}

/// The lines of an order.
///
/// # Errors
/// The database's.
pub async fn lines(
    tx: &mut PgConnection,
    order_id: Uuid,
) -> Result<Vec<OrderMailLine>, sqlx::Error> {
    sqlx::query_as(
        "select sku, title, quantity, line_total_minor from order_lines
         where order_id = $1 order by sku",
    )
    .bind(order_id)
    .fetch_all(tx)
    .await
}

/// A shipment.
///
/// # Errors
/// The database's.
pub async fn shipment(
    tx: &mut PgConnection,
    fulfilment_id: Uuid,
) -> Result<Option<Shipment>, sqlx::Error> {
    sqlx::query_as("select carrier, tracking_number from fulfilments where id = $1")
        .bind(fulfilment_id)
        .fetch_optional(tx)
        .await
}

/// The lines of a shipment. A line of the order is listed with the quantity that is on its way.
///
/// # Errors
/// The database's.
pub async fn shipped_lines(
    tx: &mut PgConnection,
    fulfilment_id: Uuid,
) -> Result<Vec<OrderMailLine>, sqlx::Error> {
    sqlx::query_as(
        "select l.sku, l.title, s.quantity, l.unit_price_minor * s.quantity as line_total_minor
         from fulfilments f
         cross join lateral jsonb_to_recordset(f.lines) as s (sku text, quantity integer)
         join order_lines l on l.order_id = f.order_id and l.sku = s.sku
         where f.id = $1 order by l.sku",
    )
    .bind(fulfilment_id)
    .fetch_all(tx)
    .await
}
