//! Messages that their consumers gave up: kept, and ended. How they are replayed is in `replay.rs`,
//! what people see and ask for in `shown.rs`.

mod replay;
mod shown;

use std::time::Duration;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::dead_letters::{DeadLetterStatus, ErrorClass, Origin};

pub use replay::{Due, await_answer, claim, due, park};
pub use shown::{
    Count, Filter, Position, Shown, counts, discard, hold_replay, is_replay, load, lock_open,
    matching, of_aggregate, page, release, release_matching,
};

/// One message that died, once.
#[derive(Debug, Clone)]
pub struct Death<'a> {
    /// The dead letter.
    pub id: Uuid,
    /// Its queue.
    pub queue: &'static str,
    /// Where it says that it belongs.
    pub origin: &'a Origin,
    /// What was sent.
    pub body: &'a str,
    /// What may be shown of that.
    pub excerpt: &'a str,
    /// What kind of failure it was.
    pub error_class: ErrorClass,
    /// The failure and its causes.
    pub error: String,
    /// How often its consumer was given it.
    pub attempts: i32,
    /// Which dead letter it was sent again for, if it was.
    pub replay_of: Option<Uuid>,
    /// When it failed first.
    pub first_failed_at: OffsetDateTime,
    /// When it was given up.
    pub failed_at: OffsetDateTime,
    /// The queue's own id, of this one death.
    pub message_id: &'a str,
}

/// What is to become of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is replayed after a pause.
    Wait(Duration),
    /// Somebody must decide.
    Park,
}

impl Fate {
    fn status(self) -> DeadLetterStatus {
        match self {
            Self::Wait(_) => DeadLetterStatus::Waiting,
            Self::Park => DeadLetterStatus::Parked,
        }
    }

    fn pause_seconds(self) -> Option<f64> {
        match self {
            Self::Wait(pause) => Some(pause.as_secs_f64()),
            Self::Park => None,
        }
    }
}

/// What is known of a dead letter already.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Known {
    /// Where it stands.
    pub status: DeadLetterStatus,
    /// How often it was replayed since somebody asked for it.
    pub replays: i32,
    /// When it was given up last.
    pub last_failed_at: OffsetDateTime,
    /// The queue's own id of that death.
    pub last_message_id: String,
    /// When it was done with.
    pub resolved_at: Option<OffsetDateTime>,
}

/// Whether another dead letter of the same event says something else. One that is itself
/// kept for that reason does not count.
///
/// # Errors
/// The database's.
pub async fn says_otherwise(tx: &mut PgConnection, death: &Death<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from failed_events
             where queue = $1 and event_id = $2 and id <> $3 and error_class <> 'event_id_reused')",
    )
    .bind(death.queue)
    .bind(death.origin.event_id)
    .bind(death.id)
    .fetch_one(tx)
    .await
}

/// Keeps a dead letter; false when it is known.
///
/// # Errors
/// The database's.
pub async fn keep(
    tx: &mut PgConnection,
    death: &Death<'_>,
    fate: Fate,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query(
        "insert into failed_events (id, queue, event_id, type, aggregate_id, sequence, body, payload_excerpt,
             error_class, error, attempts, first_failed_at, last_failed_at, last_message_id, status, next_attempt_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now() + make_interval(secs => $16))
         on conflict (id) do nothing",
    )
    .bind(death.id)
    .bind(death.queue)
    .bind(death.origin.event_id)
    .bind(death.origin.type_.as_deref())
    .bind(death.origin.aggregate_id)
    .bind(death.origin.sequence)
    .bind(death.body.as_bytes())
    .bind(death.excerpt)
    .bind(death.error_class)
    .bind(&death.error)
    .bind(death.attempts)
    .bind(death.first_failed_at)
    .bind(death.failed_at)
    .bind(death.message_id)
    .bind(fate.status())
    .bind(fate.pause_seconds())
    .execute(tx)
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// What is known of a dead letter, which nobody else changes until the transaction ends.
///
/// # Errors
/// The database's; there is none.
pub async fn lock(tx: &mut PgConnection, id: Uuid) -> Result<Known, sqlx::Error> {
    sqlx::query_as(
        "select status, replays, last_failed_at, last_message_id, resolved_at
         from failed_events where id = $1 for update",
    )
    .bind(id)
    .fetch_one(tx)
    .await
}

/// Notes that a locked one died again.
///
/// # Errors
/// The database's.
pub async fn keep_again(
    tx: &mut PgConnection,
    death: &Death<'_>,
    fate: Fate,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set error_class = $2, error = $3, attempts = attempts + $4,
             first_failed_at = least(first_failed_at, $5), last_failed_at = $6, last_message_id = $7,
             status = $8, next_attempt_at = now() + make_interval(secs => $9), resolved_at = null, reason = null
         where id = $1",
    )
    .bind(death.id)
    .bind(death.error_class)
    .bind(&death.error)
    .bind(death.attempts)
    .bind(death.first_failed_at)
    .bind(death.failed_at)
    .bind(death.message_id)
    .bind(fate.status())
    .bind(fate.pause_seconds())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that one was processed after all. One that somebody discarded stays so.
///
/// # Errors
/// The database's.
pub async fn succeed(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set status = 'replayed', next_attempt_at = null, resolved_at = now()
         where id = $1 and status in ('waiting', 'replaying', 'parked')",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends those whose event was handled after they died, because the journal sent it again: nobody
/// has to decide about them any more. At most `limit`; how many they were.
///
/// One with another event's id is not that event. What is being replayed is left to its consumer's
/// word, and what somebody works on to the next time.
///
/// # Errors
/// The database's.
pub async fn close_handled(tx: &mut PgConnection, limit: i64) -> Result<u64, sqlx::Error> {
    // With `offset 0` each letter's event is looked up; a join would read the whole journal.
    let closed = sqlx::query(
        "update failed_events set status = 'replayed', next_attempt_at = null, resolved_at = now(),
             reason = 'handled when it was sent again'
         where id in (
             select letter.id from failed_events letter
             where letter.status in ('waiting', 'parked') and letter.error_class <> 'event_id_reused'
                 and exists (
                     select from outbox
                     where outbox.event_id = letter.event_id and outbox.queue = letter.queue
                         and outbox.type = letter.type and outbox.aggregate_id = letter.aggregate_id
                         and outbox.sequence = letter.sequence
                         and outbox.consumed_at > letter.last_failed_at
                     offset 0)
             order by letter.first_failed_at limit $1 for update of letter skip locked)",
    )
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(closed.rows_affected())
}

/// How many of each queue somebody must decide about.
///
/// # Errors
/// The database's.
pub async fn parked(tx: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select queue, count(*) from failed_events where status = 'parked' group by queue",
    )
    .fetch_all(tx)
    .await
}

/// Removes those that have been done with for so long, at most `limit`; how many they were.
///
/// # Errors
/// The database's.
pub async fn forget(
    tx: &mut PgConnection,
    after: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from failed_events where id in (
             select id from failed_events where resolved_at < now() - make_interval(secs => $1) limit $2)",
    )
    .bind(after.as_secs_f64())
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
