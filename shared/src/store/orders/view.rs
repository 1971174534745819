//! Orders as people see them.

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::address::ShippingAddress;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{
    Fulfilment, FulfilmentLine, HistoryEntry, Order, OrderLine, OrderPayment, OrderStatus,
    PaymentMethodKind,
};
use crate::domain::payment::{self, PaymentEvent, PaymentEventKind};
use crate::domain::pricing::Totals;

/// Whose orders, and which of their lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody's, whole.
    Admin,
    /// One customer's, whole.
    Customer(Uuid),
    /// Everybody's that hold something of one seller, with that seller's lines.
    Seller(Uuid),
}

/// Where a page of orders starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// When the last order shown was placed, in nanoseconds since 1970.
    pub created_at: i64,
    /// Its id.
    pub id: Uuid,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    status: OrderStatus,
    currency: String,
    subtotal_minor: i64,
    discount_minor: i64,
    shipping_minor: i64,
    tax_minor: i64,
    tax_included: bool,
    total_minor: i64,
    refunded_minor: i64,
    shipping_address: Json<ShippingAddress>,
    payment_method: PaymentMethodKind,
    payment_last4: Option<String>,
    created_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    order_id: Uuid,
    sku: String,
    product_id: Uuid,
    title: String,
    quantity: i32,
    fulfilled_quantity: i32,
    unit_price_minor: i64,
    line_total_minor: i64,
}

#[derive(sqlx::FromRow)]
struct HistoryRow {
    order_id: Uuid,
    status: OrderStatus,
    at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct EventRow {
    order_id: Uuid,
    kind: PaymentEventKind,
    amount_minor: i64,
}

#[derive(sqlx::FromRow)]
struct FulfilmentRow {
    order_id: Uuid,
    id: Uuid,
    carrier: String,
    tracking_number: String,
    lines: Json<Vec<FulfilmentLine>>,
    created_at: OffsetDateTime,
}

/// One order, as `audience` may see it. Costs five statements.
///
/// # Errors
/// The database's.
pub async fn load(
    connection: &mut PgConnection,
    order_id: Uuid,
    audience: Audience,
) -> Result<Option<Order>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, status, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor, tax_included,
             total_minor, refunded_minor, shipping_address, payment_method, payment_last4, created_at
         from orders where id = $1 and ($2::uuid is null or customer_id = $2)
             and ($3::uuid is null or exists (
                 select from order_lines l where l.order_id = orders.id and l.seller_id = $3))",
    )
    .bind(order_id)
    .bind(audience.customer())
    .bind(audience.seller())
    .fetch_all(&mut *connection)
    .await?;
    Ok(complete(connection, rows, audience).await?.pop())
}

/// A page of orders, the newest first: `limit` and one more if there is one.
///
/// # Errors
/// The database's. Costs five statements.
pub async fn list(
    pool: &PgPool,
    audience: Audience,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Order>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select id, status, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor, tax_included,
             total_minor, refunded_minor, shipping_address, payment_method, payment_last4, created_at
         from orders where ($1::uuid is null or customer_id = $1)
             and ($2::uuid is null or id in (select order_id from order_lines where seller_id = $2))
             and ($3::timestamptz is null or (created_at, id) < ($3, $4))
         order by created_at desc, id desc limit $5",
    )
    .bind(audience.customer())
    .bind(audience.seller())
    .bind(after.map(Position::at))
    .bind(after.map(|position| position.id))
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    complete(&mut connection, rows, audience).await
}

impl Audience {
    fn customer(self) -> Option<Uuid> {
        if let Self::Customer(id) = self {
            Some(id)
        } else {
            None
        }
    }

    fn seller(self) -> Option<Uuid> {
        if let Self::Seller(id) = self {
            Some(id)
        } else {
            None
        }
    }
}

impl Position {
    /// The position of an order in the list.
    pub fn of(order: &Order) -> Self {
        Self::new(order.created_at, order.id)
    }

    /// The position of the order with this id, placed at this instant.
    pub fn new(created_at: OffsetDateTime, id: Uuid) -> Self {
        let created_at = i64::try_from(created_at.unix_timestamp_nanos()).unwrap_or_default();
        Self { created_at, id }
    }

    pub(crate) fn at(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(self.created_at.into())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// Adds lines, history, payment events and shipments to orders, each with one statement for all.
async fn complete(
    connection: &mut PgConnection,
    rows: Vec<Row>,
    audience: Audience,
) -> Result<Vec<Order>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let lines: Vec<LineRow> = sqlx::query_as(
        "select order_id, sku, product_id, title, quantity, fulfilled_quantity, unit_price_minor, line_total_minor
         from order_lines where order_id = any($1) and ($2::uuid is null or seller_id = $2) order by sku",
    )
    .bind(&ids)
    .bind(audience.seller())
    .fetch_all(&mut *connection)
    .await?;
    let history: Vec<HistoryRow> = sqlx::query_as(
        "select order_id, status, at from order_history where order_id = any($1) order by order_id, sequence",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let events: Vec<EventRow> = sqlx::query_as(
        "select order_id, kind, amount_minor from payment_events where order_id = any($1) order by at, id",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let fulfilments: Vec<FulfilmentRow> = sqlx::query_as(
        "select order_id, id, carrier, tracking_number, lines, created_at
         from fulfilments where order_id = any($1) order by created_at, id",
    )
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| assemble(row, &lines, &history, &events, &fulfilments))
        .collect()
}

fn assemble(
    row: Row,
    lines: &[LineRow],
    history: &[HistoryRow],
    events: &[EventRow],
    fulfilments: &[FulfilmentRow],
) -> Result<Order, sqlx::Error> {
    let currency = Currency::try_from(row.currency.as_str())
        .map_err(|error| sqlx::Error::Decode(error.into()))?;
    let money = |minor| Money::new(minor, currency);
    let events: Vec<_> = events
        .iter()
        .filter(|event| event.order_id == row.id)
        .map(|event| PaymentEvent {
            kind: event.kind,
            amount_minor: event.amount_minor,
        })
        .collect();
    Ok(Order {
        id: row.id,
        status: row.status,
        currency,
        lines: lines
            .iter()
            .filter(|line| line.order_id == row.id)
            .map(|line| order_line(line, currency))
            .collect(),
        totals: Totals {
            subtotal: money(row.subtotal_minor),
            discount: money(row.discount_minor),
            shipping: money(row.shipping_minor),
            tax: money(row.tax_minor),
            tax_included: row.tax_included,
            total: money(row.total_minor),
        },
        payment: OrderPayment {
            method: row.payment_method,
            status: payment::status(&events),
            last4: row.payment_last4,
        },
        refunded: money(row.refunded_minor),
        shipping_address: row.shipping_address.0,
        history: history
            .iter()
            .filter(|entry| entry.order_id == row.id)
            .map(|entry| HistoryEntry {
                status: entry.status,
                at: entry.at,
            })
            .collect(),
        fulfilments: fulfilments
            .iter()
            .filter(|row_| row_.order_id == row.id)
            .map(fulfilment)
            .collect(),
        created_at: row.created_at,
    })
}

fn order_line(row: &LineRow, currency: Currency) -> OrderLine {
    OrderLine {
        sku: row.sku.clone(),
        product_id: row.product_id,
        title: row.title.clone(),
        quantity: row.quantity,
        fulfilled_quantity: row.fulfilled_quantity,
        unit_price: Money::new(row.unit_price_minor, currency),
        line_total: Money::new(row.line_total_minor, currency),
    }
}

fn fulfilment(row: &FulfilmentRow) -> Fulfilment {
    Fulfilment {
        id: row.id,
        carrier: row.carrier.clone(),
        tracking_number: row.tracking_number.clone(),
        lines: row.lines.0.clone(),
        created_at: row.created_at,
    }
}
