//! How far payments were compared with the provider's own list, and what they
//! are compared by.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::payments::AttemptState;

/// An attempt as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Compared {
    /// The attempt.
    pub id: Uuid,
    /// Its order.
    pub order_id: Uuid,
    /// Where it stands.
    pub state: AttemptState,
    /// The order's total, in minor units.
    pub amount_minor: i64,
    /// Whether it is the order's latest.
    pub latest: bool,
}

/// Claims the next comparison, unless the last was less than `pause_seconds` ago:
/// until when payments were compared. Nobody else gets it in the same transaction.
///
/// # Errors
/// The database's.
pub async fn claim(
    tx: &mut PgConnection,
    pause_seconds: f64,
) -> Result<Option<OffsetDateTime>, sqlx::Error> {
    sqlx::query_scalar(
        "update reconciliation set ran_at = now()
         where ran_at < now() - make_interval(secs => $1) returning compared_until",
    )
    .bind(pause_seconds)
    .fetch_optional(tx)
    .await
}

/// Notes until when payments were compared.
///
/// # Errors
/// The database's.
pub async fn compared_until(
    tx: &mut PgConnection,
    until: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query("update reconciliation set compared_until = $1 where compared_until < $1")
        .bind(until)
        .execute(tx)
        .await?;
    Ok(())
}

/// Those of `attempts` that there are.
///
/// # Errors
/// The database's.
pub async fn attempts(
    tx: &mut PgConnection,
    attempts: &[Uuid],
) -> Result<Vec<Compared>, sqlx::Error> {
    sqlx::query_as(
        "select a.id, a.order_id, a.state, a.amount_minor,
             not exists (select from payment_attempts later
                 where later.order_id = a.order_id and later.number > a.number) as latest
         from payment_attempts a where a.id = any($1)",
    )
    .bind(attempts)
    .fetch_all(tx)
    .await
}

/// Orders that were made or whose money moved since then, and whose recorded
/// money is not the sum of what was recorded to have happened to it.
///
/// # Errors
/// The database's.
pub async fn orders_out_of_balance(
    tx: &mut PgConnection,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "with touched as (
             select id from orders where created_at >= $1
             union select order_id from payment_events where at >= $1
         )
         select o.id from touched join orders o using (id) left join payment_events e on e.order_id = o.id
         group by o.id having
             o.captured_minor <> coalesce(sum(e.amount_minor) filter (where e.kind = 'captured'), 0)
             or o.refunded_minor < coalesce(sum(e.amount_minor) filter (where e.kind = 'refunded'), 0)
         limit $2",
    )
    .bind(since)
    .bind(limit)
    .fetch_all(tx)
    .await
}
