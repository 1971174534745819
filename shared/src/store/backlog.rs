//! What the journal says of the events that wait for their consumers.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// The events of one queue that its consumer has not handled yet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// The queue.
    pub queue: String,
    /// How many they are.
    pub events: i64,
    /// How many of them were not published yet.
    pub unpublished: i64,
    /// When the first of them happened.
    pub oldest_at: OffsetDateTime,
}

/// The backlog of every queue that has one. Events of dead letters are left out unless these were
/// processed after all: they are counted there, and one would make every other look old.
///
/// # Errors
/// The database's.
pub async fn by_queue(executor: impl PgExecutor<'_>) -> Result<Vec<Backlog>, sqlx::Error> {
    sqlx::query_as(
        "select queue, count(*) as events, count(*) filter (where published_at is null) as unpublished,
             min(occurred_at) as oldest_at
         from outbox
         where consumed_at is null and not exists (
             select from failed_events
             where failed_events.queue = outbox.queue and failed_events.event_id = outbox.event_id
                 and failed_events.status in ('waiting', 'replaying', 'parked', 'discarded'))
         group by queue order by queue",
    )
    .fetch_all(executor)
    .await
}
