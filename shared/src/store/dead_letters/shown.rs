//! Dead letters as people see them, and what people decide about them.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::dead_letters::{DeadLetterStatus, ErrorClass};

/// A dead letter.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = DeadLetter)]
pub struct Shown {
    /// Made from the queue and the message: the same message has the same id.
    pub id: Uuid,
    /// The queue that it was in.
    #[schema(example = "orders")]
    pub queue: String,
    /// The event's type, where it can be read.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    #[schema(example = "payment_due")]
    pub type_: Option<String>,
    /// The event's own id.
    pub event_id: Option<Uuid>,
    /// What it happened to.
    pub aggregate_id: Option<Uuid>,
    /// Its place among that aggregate's events in the queue, from 1.
    pub sequence: Option<i64>,
    /// What kind of failure it was, the last time.
    pub error_class: ErrorClass,
    /// The failure and its causes.
    pub error: String,
    /// How often its consumer was given it, replays included.
    pub attempts: i32,
    /// When it failed first.
    #[serde(with = "time::serde::rfc3339")]
    pub first_failed_at: OffsetDateTime,
    /// When it was given up last.
    #[serde(with = "time::serde::rfc3339")]
    pub last_failed_at: OffsetDateTime,
    /// When it is sent again, unless its consumer has it and answers before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
    /// Where it stands.
    pub status: DeadLetterStatus,
    /// The beginning of the message, without what may be about a person.
    pub payload_excerpt: String,
    /// How often it was replayed since somebody last asked for it.
    pub replays: i32,
    /// By which request for many it was replayed last.
    pub replay_id: Option<Uuid>,
    /// When it was processed or discarded.
    #[serde(with = "time::serde::rfc3339::option")]
    pub resolved_at: Option<OffsetDateTime>,
    /// Who discarded it.
    pub resolved_by: Option<Uuid>,
    /// Why; or how it came to be processed without a replay.
    pub reason: Option<String>,
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one queue.
    pub queue: Option<String>,
    /// Of one event type.
    pub type_: Option<String>,
    /// With one kind of failure.
    pub error_class: Option<ErrorClass>,
    /// At one place.
    pub status: Option<DeadLetterStatus>,
    /// Replayed by one request.
    pub replay_id: Option<Uuid>,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// When the last one shown was given up, in nanoseconds since 1970.
    pub last_failed_at: i64,
    /// Its id.
    pub id: Uuid,
}

impl Position {
    /// The position of a dead letter in the list.
    pub fn of(shown: &Shown) -> Self {
        let nanoseconds = shown.last_failed_at.unix_timestamp_nanos();
        Self {
            last_failed_at: i64::try_from(nanoseconds).unwrap_or_default(),
            id: shown.id,
        }
    }

    fn at(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(self.last_failed_at.into())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// How many have these things in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = DeadLetterCount)]
pub struct Count {
    /// The queue.
    #[schema(example = "orders")]
    pub queue: String,
    /// The event's type, where it can be read.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// The kind of failure.
    pub error_class: ErrorClass,
    /// Where they stand.
    pub status: DeadLetterStatus,
    /// How many they are.
    pub count: i64,
    /// When the first of them failed first.
    #[serde(with = "time::serde::rfc3339")]
    pub oldest_failed_at: OffsetDateTime,
}

/// A page of them, those that were given up last first: `limit` and one more if there is one.
///
/// # Errors
/// The database's.
pub async fn page(
    pool: &PgPool,
    filter: &Filter,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Shown>, sqlx::Error> {
    sqlx::query_as(
        "select id, queue, type, event_id, aggregate_id, sequence, error_class, error, attempts, first_failed_at,
             last_failed_at, next_attempt_at, status, payload_excerpt, replays, replay_id, resolved_at,
             resolved_by, reason
         from failed_events
         where ($1::text is null or queue = $1) and ($2::text is null or type = $2)
             and ($3::text is null or error_class = $3) and ($4::text is null or status = $4)
             and ($5::uuid is null or replay_id = $5)
             and ($6::timestamptz is null or (last_failed_at, id) < ($6, $7))
         order by last_failed_at desc, id desc limit $8",
    )
    .bind(filter.queue.as_deref())
    .bind(filter.type_.as_deref())
    .bind(filter.error_class.map(ErrorClass::name))
    .bind(filter.status)
    .bind(filter.replay_id)
    .bind(after.map(Position::at))
    .bind(after.map(|position| position.id))
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}

/// One of them.
///
/// # Errors
/// The database's.
pub async fn load(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Shown>, sqlx::Error> {
    sqlx::query_as(
        "select id, queue, type, event_id, aggregate_id, sequence, error_class, error, attempts, first_failed_at,
             last_failed_at, next_attempt_at, status, payload_excerpt, replays, replay_id, resolved_at,
             resolved_by, reason
         from failed_events where id = $1",
    )
    .bind(id)
    .fetch_optional(executor)
    .await
}

/// Those about one thing, in whatever queue, those that were given up last first: at most `limit`.
///
/// # Errors
/// The database's.
pub async fn of_aggregate(
    executor: impl PgExecutor<'_>,
    aggregate: Uuid,
    limit: i64,
) -> Result<Vec<Shown>, sqlx::Error> {
    sqlx::query_as(
        "select id, queue, type, event_id, aggregate_id, sequence, error_class, error, attempts, first_failed_at,
             last_failed_at, next_attempt_at, status, payload_excerpt, replays, replay_id, resolved_at,
             resolved_by, reason
         from failed_events where aggregate_id = $1 order by last_failed_at desc, id desc limit $2",
    )
    .bind(aggregate)
    .bind(limit)
    .fetch_all(executor)
    .await
}

/// All of them, counted; those of one replay, if it is given.
///
/// # Errors
/// The database's.
pub async fn counts(pool: &PgPool, replay_id: Option<Uuid>) -> Result<Vec<Count>, sqlx::Error> {
    sqlx::query_as(
        "select queue, type, error_class, status, count(*) as count, min(first_failed_at) as oldest_failed_at
         from failed_events where ($1::uuid is null or replay_id = $1)
         group by queue, type, error_class, status order by queue, type, error_class, status",
    )
    .bind(replay_id)
    .fetch_all(pool)
    .await
}

/// What [`release_matching`] would do, counted.
///
/// # Errors
/// The database's.
pub async fn matching(
    tx: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Count>, sqlx::Error> {
    sqlx::query_as(
        "select queue, type, error_class, status, count(*) as count, min(first_failed_at) as oldest_failed_at
         from (
             select queue, type, error_class, status, first_failed_at from failed_events
             where status in ('waiting', 'parked')
                 and ($1::text is null or queue = $1) and ($2::text is null or type = $2)
                 and ($3::text is null or error_class = $3)
             order by first_failed_at, sequence, id limit $4) matching
         group by queue, type, error_class, status order by queue, type, error_class, status",
    )
    .bind(filter.queue.as_deref())
    .bind(filter.type_.as_deref())
    .bind(filter.error_class.map(ErrorClass::name))
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Waits for whoever asks for the same replay at this moment, and holds off whoever asks next until
/// the transaction ends.
///
/// # Errors
/// The database's.
pub async fn hold_replay(tx: &mut PgConnection, replay_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('replay' || $1::text, 0))")
        .bind(replay_id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether any were replayed under this id.
///
/// # Errors
/// The database's.
pub async fn is_replay(tx: &mut PgConnection, replay_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from failed_events where replay_id = $1)")
        .bind(replay_id)
        .fetch_one(tx)
        .await
}

/// Has the oldest that wait or are parked replayed now, under one id; how many they are. One
/// statement, so that it is done whole or not at all. What is replaying already is left alone.
///
/// # Errors
/// The database's.
pub async fn release_matching(
    tx: &mut PgConnection,
    replay_id: Uuid,
    filter: &Filter,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let released = sqlx::query(
        "update failed_events set status = 'waiting', next_attempt_at = now(), replays = 0, replay_id = $1
         where id in (
             select id from failed_events
             where status in ('waiting', 'parked')
                 and ($2::text is null or queue = $2) and ($3::text is null or type = $3)
                 and ($4::text is null or error_class = $4)
             order by first_failed_at, sequence, id limit $5 for update skip locked)",
    )
    .bind(replay_id)
    .bind(filter.queue.as_deref())
    .bind(filter.type_.as_deref())
    .bind(filter.error_class.map(ErrorClass::name))
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(released.rows_affected())
}

/// Where one stands; nobody else changes it until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_open(
    tx: &mut PgConnection,
    id: Uuid,
) -> Result<Option<DeadLetterStatus>, sqlx::Error> {
    sqlx::query_scalar("select status from failed_events where id = $1 for update")
        .bind(id)
        .fetch_optional(tx)
        .await
}

/// Has a locked one replayed now.
///
/// # Errors
/// The database's.
pub async fn release(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set status = 'waiting', next_attempt_at = now(), replays = 0, replay_id = null
         where id = $1",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a locked one without processing it.
///
/// # Errors
/// The database's.
pub async fn discard(
    tx: &mut PgConnection,
    id: Uuid,
    (by, reason): (Uuid, &str),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update failed_events set status = 'discarded', next_attempt_at = null, resolved_at = now(),
             resolved_by = $2, reason = $3
         where id = $1",
    )
    .bind(id)
    .bind(by)
    .bind(reason)
    .execute(tx)
    .await?;
    Ok(())
}
