//! Pages of orders.

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderStatus, PaymentMethodKind};
use crate::domain::payment::{self, PaymentEvent, PaymentEventKind, PaymentStatus};
use crate::store::orders::Position;

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The order.
    pub id: Uuid,
    /// Where it stands.
    pub status: OrderStatus,
    /// A fold of its payment events.
    pub payment_status: PaymentStatus,
    /// How it is paid.
    pub payment_method: PaymentMethodKind,
    /// What it comes to.
    pub total: Money,
    /// What was paid back, or is about to be.
    pub refunded: Money,
    /// When it was placed.
    pub created_at: OffsetDateTime,
}

impl Listed {
    /// Its position in the list.
    pub fn position(&self) -> Position {
        Position::new(self.created_at, self.id)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    status: OrderStatus,
    #[sqlx(try_from = "String")]
    currency: Currency,
    total_minor: i64,
    refunded_minor: i64,
    payment_method: PaymentMethodKind,
    created_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct PaidRow {
    order_id: Uuid,
    kind: PaymentEventKind,
    amount_minor: i64,
}

/// A page of orders, the newest first: `limit` and one more if there is one. Costs two statements.
///
/// # Errors
/// The database's.
pub async fn newest(
    pool: &PgPool,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Listed>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select id, status, currency, total_minor, refunded_minor, payment_method, created_at from orders
         where $1::timestamptz is null or (created_at, id) < ($1, $2)
         order by created_at desc, id desc limit $3",
    )
    .bind(after.map(Position::at))
    .bind(after.map(|position| position.id))
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    with_payments(&mut connection, rows).await
}

/// The same of those at one place. A statement of its own, so that it is planned for its index.
///
/// # Errors
/// The database's.
pub async fn newest_with_status(
    pool: &PgPool,
    status: OrderStatus,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Listed>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select id, status, currency, total_minor, refunded_minor, payment_method, created_at from orders
         where status = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc limit $4",
    )
    .bind(status)
    .bind(after.map(Position::at))
    .bind(after.map(|position| position.id))
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    with_payments(&mut connection, rows).await
}

/// Whether there is an order with this id.
///
/// # Errors
/// The database's.
pub async fn exists(executor: impl PgExecutor<'_>, order_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from orders where id = $1)")
        .bind(order_id)
        .fetch_one(executor)
        .await
}

/// Adds how each is paid, with one statement for all.
async fn with_payments(
    connection: &mut PgConnection,
    rows: Vec<Row>,
) -> Result<Vec<Listed>, sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let paid: Vec<PaidRow> = sqlx::query_as(
        "select order_id, kind, amount_minor from payment_events where order_id = any($1) order by at, id",
    )
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| listed(&row, &paid)).collect())
}

fn listed(row: &Row, paid: &[PaidRow]) -> Listed {
    let own = paid.iter().filter(|paid| paid.order_id == row.id);
    let events = own.map(|paid| PaymentEvent {
        kind: paid.kind,
        amount_minor: paid.amount_minor,
    });
    Listed {
        id: row.id,
        status: row.status,
        payment_status: payment::status(&events.collect::<Vec<_>>()),
        payment_method: row.payment_method,
        total: Money::new(row.total_minor, row.currency),
        refunded: Money::new(row.refunded_minor, row.currency),
        created_at: row.created_at,
    }
}
