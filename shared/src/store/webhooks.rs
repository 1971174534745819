//! The provider's webhooks, stored before they are acknowledged.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;

/// Stores a webhook; false when it came before.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    id: &str,
    type_: &str,
    payload: &Value,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into webhook_events (provider_event_id, type, payload) values ($1, $2, $3)
         on conflict (provider_event_id) do nothing",
    )
    .bind(id)
    .bind(type_)
    .bind(payload)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// What a webhook says; `None` when it is not there or was applied.
///
/// # Errors
/// The database's.
pub async fn unapplied(tx: &mut PgConnection, id: &str) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar(
        "select payload from webhook_events where provider_event_id = $1 and applied_at is null",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
}

/// Marks a webhook as applied.
///
/// # Errors
/// The database's.
pub async fn mark_applied(tx: &mut PgConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update webhook_events set applied_at = now() where provider_event_id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets webhooks that were applied so long ago, the oldest first, at most `limit`; how many
/// they were. One that comes again after that is applied again, which changes nothing.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut PgConnection, kept: Duration, limit: i64) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from webhook_events where provider_event_id = any (array(
             select provider_event_id from webhook_events
             where applied_at < now() - make_interval(secs => $1) order by applied_at limit $2))",
    )
    .bind(kept.as_secs_f64())
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
