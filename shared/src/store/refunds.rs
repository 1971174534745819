//! Refunds: each is stored before the provider is asked.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a refund stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
    sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RefundState {
    /// To be made.
    Pending,
    /// The money has moved back.
    Succeeded,
    /// It cannot be made.
    Failed,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Refund {
    /// Its id, and its idempotency key at the provider.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: RefundState,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
}

/// A refund to be made.
#[derive(Debug, Clone)]
pub struct NewRefund<'a> {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Why.
    pub reason: &'a str,
    /// Who asked for it.
    pub created_by: Uuid,
}

/// Stores a refund; false when it exists already.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut PgConnection, new: &NewRefund<'_>) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into refunds (id, order_id, amount_minor, reason, created_by) values ($1, $2, $3, $4, $5)
         on conflict (id) do nothing",
    )
    .bind(new.id)
    .bind(new.order_id)
    .bind(new.amount_minor)
    .bind(new.reason)
    .bind(new.created_by)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A refund, locked.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut PgConnection, refund_id: Uuid) -> Result<Option<Refund>, sqlx::Error> {
    sqlx::query_as(
        "select id, order_id, amount_minor, reason, state, created_at from refunds where id = $1 for update",
    )
    .bind(refund_id)
    .fetch_optional(tx)
    .await
}

/// Stores what a refund came to.
///
/// # Errors
/// The database's.
pub async fn settle(
    tx: &mut PgConnection,
    refund_id: Uuid,
    state: RefundState,
    provider_refund_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update refunds set state = $2, provider_refund_id = $3, updated_at = now() where id = $1",
    )
    .bind(refund_id)
    .bind(state)
    .bind(provider_refund_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// The provider's payment that captured the order's money; `None` for the wallet.
///
/// # Errors
/// The database's.
pub async fn captured_payment(
    tx: &mut PgConnection,
    order_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    let payment: Option<Option<String>> = sqlx::query_scalar(
        "select provider_payment_id from payment_attempts where order_id = $1 and state = 'captured'",
    )
    .bind(order_id)
    .fetch_optional(tx)
    .await?;
    Ok(payment.flatten())
}

/// Refunds that nobody has made for a minute.
///
/// # Errors
/// The database's.
pub async fn unsettled(tx: &mut PgConnection, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from refunds where state = 'pending' and created_at < now() - interval '30 seconds'
         order by created_at limit $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// The order that a refund belongs to.
///
/// # Errors
/// The database's.
pub async fn order_of(tx: &mut PgConnection, refund_id: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select order_id from refunds where id = $1")
        .bind(refund_id)
        .fetch_optional(tx)
        .await
}
