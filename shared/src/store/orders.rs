//! Orders: placing, locking and changing them. `orders/view.rs` reads them for people.

mod view;

pub use view::{Audience, Position, list, load};

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::address::ShippingAddress;
use crate::domain::idempotency::IdempotencyKey;
use crate::domain::order::{OrderStatus, PaymentMethodKind};
use crate::domain::pricing::{Priced, PricedLine};

/// An order to be stored.
#[derive(Debug, Clone)]
pub struct NewOrder<'a> {
    /// Its id, made from customer and key.
    pub id: Uuid,
    /// Who orders.
    pub customer_id: Uuid,
    /// Under which key.
    pub key: &'a IdempotencyKey,
    /// What is ordered, and what it comes to.
    pub priced: &'a Priced,
    /// Where it goes.
    pub address: &'a ShippingAddress,
    /// How it is paid.
    pub method: PaymentMethodKind,
    /// When it was accepted without the database; it begins as `received` then,
    /// and otherwise as `payment_pending`.
    pub received_at: Option<OffsetDateTime>,
}

/// What decides about an order's next step, read under its lock.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Locked {
    /// The order.
    pub id: Uuid,
    /// Who ordered.
    pub customer_id: Uuid,
    /// Where it stands.
    pub status: OrderStatus,
    /// The shop's currency.
    pub currency: String,
    /// What it comes to, in minor units.
    pub total_minor: i64,
    /// What was charged.
    pub captured_minor: i64,
    /// What was paid back or is about to be.
    pub refunded_minor: i64,
    /// How it is paid.
    pub payment_method: PaymentMethodKind,
    /// Until when an authentication is waited for.
    pub reserved_until: Option<OffsetDateTime>,
}

/// Stores an order with its lines; when it was placed, or `None` when it exists already.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    order: &NewOrder<'_>,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    let totals = &order.priced.totals;
    let inserted: Option<OffsetDateTime> = sqlx::query_scalar(
        "insert into orders (id, customer_id, idempotency_key, status, currency, subtotal_minor, discount_minor,
             shipping_minor, tax_minor, tax_included, total_minor, shipping_address, payment_method, created_at)
         values ($1, $2, $3, case when $13::timestamptz is null then 'payment_pending' else 'received' end,
             $4, $5, $6, $7, $8, $9, $10, $11, $12, coalesce($13, now()))
         on conflict (id) do nothing returning created_at",
    )
    .bind(order.id)
    .bind(order.customer_id)
    .bind(order.key.as_str())
    .bind(totals.total.currency().as_str())
    .bind(totals.subtotal.minor())
    .bind(totals.discount.minor())
    .bind(totals.shipping.minor())
    .bind(totals.tax.minor())
    .bind(totals.tax_included)
    .bind(totals.total.minor())
    .bind(Json(order.address))
    .bind(order.method)
    .bind(order.received_at)
    .fetch_optional(&mut *tx)
    .await?;
    if inserted.is_some() {
        insert_lines(tx, order.id, &order.priced.lines).await?;
    }
    Ok(inserted)
}

async fn insert_lines(
    tx: &mut PgConnection,
    order_id: Uuid,
    lines: &[PricedLine],
) -> Result<(), sqlx::Error> {
    let column = |pick: fn(&PricedLine) -> i64| lines.iter().map(pick).collect::<Vec<_>>();
    sqlx::query(
        "insert into order_lines (order_id, sku, product_id, seller_id, title, quantity, unit_price_minor, line_total_minor)
         select $1, * from unnest($2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])",
    )
    .bind(order_id)
    .bind(lines.iter().map(|line| line.sku.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.product_id).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.seller_id).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.title.as_str()).collect::<Vec<_>>())
    .bind(column(|line| i64::from(line.quantity)))
    .bind(column(|line| line.unit_price.minor()))
    .bind(column(|line| line.line_total.minor()))
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks an order. Everything that changes an order holds this lock.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut PgConnection, order_id: Uuid) -> Result<Option<Locked>, sqlx::Error> {
    sqlx::query_as(
        "select id, customer_id, status, currency, total_minor, captured_minor, refunded_minor, payment_method,
             reserved_until
         from orders where id = $1 for update",
    )
    .bind(order_id)
    .fetch_optional(tx)
    .await
}

/// Moves an order on. The database refuses a transition that is not legal.
///
/// # Errors
/// The database's; constraint `orders_transition_legal`.
pub async fn set_status(
    tx: &mut PgConnection,
    order_id: Uuid,
    status: OrderStatus,
) -> Result<(), sqlx::Error> {
    sqlx::query("update orders set status = $2, version = version + 1, updated_at = now() where id = $1 and status <> $2")
        .bind(order_id)
        .bind(status)
        .execute(tx)
        .await?;
    Ok(())
}

/// Records that the whole total was charged.
///
/// # Errors
/// The database's.
pub async fn set_captured(
    tx: &mut PgConnection,
    order_id: Uuid,
    last4: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update orders set captured_minor = total_minor, payment_last4 = coalesce($2, payment_last4), reserved_until = null
         where id = $1",
    )
    .bind(order_id)
    .bind(last4)
    .execute(tx)
    .await?;
    Ok(())
}

/// Sets how the order is paid from now on.
///
/// # Errors
/// The database's.
pub async fn set_method(
    tx: &mut PgConnection,
    order_id: Uuid,
    method: PaymentMethodKind,
) -> Result<(), sqlx::Error> {
    sqlx::query("update orders set payment_method = $2, payment_last4 = null, reserved_until = null where id = $1")
        .bind(order_id)
        .bind(method)
        .execute(tx)
        .await?;
    Ok(())
}

/// Sets or clears until when the order's stock is held for an authentication.
///
/// # Errors
/// The database's.
pub async fn set_reserved_until(
    tx: &mut PgConnection,
    order_id: Uuid,
    until: Option<OffsetDateTime>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update orders set reserved_until = $2 where id = $1")
        .bind(order_id)
        .bind(until)
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts an amount as paid back, or with a negative amount as not paid back after all.
///
/// # Errors
/// The database's; constraint `orders_refunded_at_most_captured`.
pub async fn add_refunded(
    tx: &mut PgConnection,
    order_id: Uuid,
    amount_minor: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update orders set refunded_minor = refunded_minor + $2, updated_at = now() where id = $1",
    )
    .bind(order_id)
    .bind(amount_minor)
    .execute(tx)
    .await?;
    Ok(())
}

/// Orders whose time to authenticate has run out.
///
/// # Errors
/// The database's.
pub async fn expired_reservations(
    tx: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from orders where reserved_until < now() order by reserved_until limit $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
}
