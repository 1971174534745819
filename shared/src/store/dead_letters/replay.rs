//! Dead letters whose time has come, in the order in which their aggregate's events happened.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::dead_letters::ErrorClass;

/// One that is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    /// Its queue.
    pub queue: String,
    /// What was sent, byte for byte.
    pub body: Vec<u8>,
    /// How often it was replayed since somebody asked for it.
    pub replays: i32,
}

/// Those whose time has come, the longest due first. One that has an earlier event of its
/// aggregate before it, which is neither processed nor given up, waits for that.
///
/// # Errors
/// The database's.
pub async fn due(tx: &mut PgConnection, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from failed_events late
         where status in ('waiting', 'replaying') and next_attempt_at <= now()
             and not exists (
                 select from failed_events earlier
                 where earlier.queue = late.queue and earlier.aggregate_id = late.aggregate_id
                     and earlier.sequence < late.sequence and earlier.status in ('waiting', 'replaying'))
         order by next_attempt_at, first_failed_at, sequence, id limit $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Claims one of these until the transaction ends; nothing when somebody else has it, or had.
///
/// # Errors
/// The database's.
pub async fn claim(tx: &mut PgConnection, id: Uuid) -> Result<Option<Due>, sqlx::Error> {
    sqlx::query_as(
        "select queue, body, replays from failed_events
         where id = $1 and status in ('waiting', 'replaying') and next_attempt_at <= now()
         for update skip locked",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
}

/// Notes that a claimed one was sent again: its consumer has so long to say what became of it.
///
/// # Errors
/// The database's.
pub async fn await_answer(
    tx: &mut PgConnection,
    id: Uuid,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set status = 'replaying', replays = replays + 1,
             next_attempt_at = now() + make_interval(secs => $2)
         where id = $1",
    )
    .bind(id)
    .bind(patience.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(())
}

/// Leaves a claimed one to whoever decides.
///
/// # Errors
/// The database's.
pub async fn park(
    tx: &mut PgConnection,
    id: Uuid,
    (error_class, error): (ErrorClass, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set status = 'parked', next_attempt_at = null, error_class = $2, error = $3
         where id = $1",
    )
    .bind(id)
    .bind(error_class)
    .bind(error)
    .execute(tx)
    .await?;
    Ok(())
}
