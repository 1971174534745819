//! Events, written in the transaction of what they report and published after it. The rows are
//! kept: together they are the journal, and each says when its consumer has handled it.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::context;
use crate::domain::events::{Envelope, Event, Place};
use crate::domain::trace::TraceContext;

/// An event that waits to be published.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pending {
    /// Its id and the envelope's.
    pub event_id: Uuid,
    /// The queue it goes to.
    pub queue: String,
    /// The envelope's type.
    #[sqlx(rename = "type")]
    pub type_: String,
    /// The version of the payload's shape.
    pub version: i16,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// Its place among the events of the aggregate in this queue.
    pub sequence: i64,
    /// What happened.
    pub payload: Value,
    /// When.
    pub occurred_at: OffsetDateTime,
    /// The trace that it happened in.
    pub trace_context: Option<String>,
}

/// An event that a consumer has not handled, though it handled a later one of the aggregate.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Missing {
    /// The queue that it should have come by.
    pub queue: String,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// Its number.
    pub sequence: i64,
}

impl Pending {
    /// What is sent.
    pub fn envelope(self) -> Envelope {
        Envelope {
            id: self.event_id,
            type_: self.type_,
            version: self.version,
            aggregate_id: self.aggregate_id,
            queue: self.queue,
            sequence: self.sequence,
            occurred_at: self.occurred_at,
            trace_context: self.trace_context,
            payload: self.payload,
        }
    }
}

/// Adds an event about `aggregate` to every queue that its type goes to.
///
/// # Errors
/// The database's.
pub async fn add(tx: &mut PgConnection, aggregate: Uuid, event: &Event) -> Result<(), sqlx::Error> {
    let payload = serde_json::to_value(event).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let event_id = Uuid::now_v7();
    let trace = context::trace();
    lock(tx, aggregate).await?;
    for queue in event.queues() {
        let sequence = next_in_queue(tx, aggregate, queue.name()).await?;
        sqlx::query(
            "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload, trace_context)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(event_id)
        .bind(queue.name())
        .bind(event.type_name())
        .bind(Event::VERSION)
        .bind(aggregate)
        .bind(sequence)
        .bind(&payload)
        .bind(trace.as_ref().map(TraceContext::as_str))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Keeps others from numbering this aggregate's events until the transaction ends.
async fn lock(tx: &mut PgConnection, aggregate: Uuid) -> Result<(), sqlx::Error> {
    // Counted on for the release before, which numbers events by this and must not meet ours.
    sqlx::query(
        "insert into aggregates (id, sequence) values ($1, 1)
         on conflict (id) do update set sequence = aggregates.sequence + 1",
    )
    .bind(aggregate)
    .execute(tx)
    .await?;
    Ok(())
}

/// The next number of a locked aggregate's events in one queue; above whatever
/// the release before may have given out meanwhile.
async fn next_in_queue(
    tx: &mut PgConnection,
    aggregate: Uuid,
    queue: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into aggregate_queues (aggregate_id, queue, sequence)
         select $1, $2, coalesce(max(sequence), 0) + 1 from outbox where aggregate_id = $1 and queue = $2
         on conflict (aggregate_id, queue) do update
         set sequence = greatest(aggregate_queues.sequence + 1, excluded.sequence)
         returning sequence",
    )
    .bind(aggregate)
    .bind(queue)
    .fetch_one(tx)
    .await
}

/// Aggregates with events that were not published, the oldest first. `settled_seconds`
/// leaves those alone that a request may be publishing at this moment.
///
/// # Errors
/// The database's.
pub async fn unpublished_aggregates(
    tx: &mut PgConnection,
    settled_seconds: f64,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select aggregate_id from outbox
         where published_at is null and occurred_at < now() - make_interval(secs => $1)
         group by aggregate_id order by min(occurred_at) limit $2",
    )
    .bind(settled_seconds)
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Claims an aggregate until the transaction ends, so that two publishers keep
/// its order; false when somebody else has it.
///
/// # Errors
/// The database's.
pub async fn claim_aggregate(tx: &mut PgConnection, aggregate: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select pg_try_advisory_xact_lock(hashtextextended('outbox' || $1::text, 0))",
    )
    .bind(aggregate)
    .fetch_one(tx)
    .await
}

/// The aggregate's events that wait, in order within each queue; what a customer or an order waits
/// for before what is only counted.
///
/// # Errors
/// The database's.
pub async fn pending(tx: &mut PgConnection, aggregate: Uuid) -> Result<Vec<Pending>, sqlx::Error> {
    sqlx::query_as(
        "select event_id, queue, type, version, aggregate_id, sequence, payload, occurred_at, trace_context
         from outbox where aggregate_id = $1 and published_at is null
         order by array_position(array['orders', 'mail', 'catalogue', 'analytics'], queue), sequence",
    )
    .bind(aggregate)
    .fetch_all(tx)
    .await
}

/// Marks an event as published to one queue.
///
/// # Errors
/// The database's.
pub async fn mark_published(
    tx: &mut PgConnection,
    event_id: Uuid,
    queue: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update outbox set published_at = now() where event_id = $1 and queue = $2")
        .bind(event_id)
        .bind(queue)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes that the consumers of their queues have handled these events.
///
/// # Errors
/// The database's.
pub async fn mark_consumed(tx: &mut PgConnection, places: &[Place]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set consumed_at = now() from unnest($1::uuid[], $2::text[]) as handled (event_id, queue)
         where outbox.event_id = handled.event_id and outbox.queue = handled.queue and outbox.consumed_at is null",
    )
    .bind(places.iter().map(|place| place.event_id).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.queue.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that nobody will handle a dead letter's event any more, so that it is not sent again.
/// One that only has another event's id is not that event.
///
/// # Errors
/// The database's.
pub async fn give_up(tx: &mut PgConnection, dead_letter: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox set consumed_at = now() from failed_events
         where failed_events.id = $1 and failed_events.error_class <> 'event_id_reused'
             and outbox.event_id = failed_events.event_id and outbox.queue = failed_events.queue
             and outbox.consumed_at is null",
    )
    .bind(dead_letter)
    .execute(tx)
    .await?;
    Ok(())
}

/// Events with lower numbers than these of the same aggregate and queue that were not handled.
///
/// # Errors
/// The database's.
pub async fn missing_before(
    tx: &mut PgConnection,
    places: &[Place],
) -> Result<Vec<Missing>, sqlx::Error> {
    sqlx::query_as(
        "select distinct earlier.queue, earlier.aggregate_id, earlier.sequence
         from unnest($1::uuid[], $2::text[], $3::bigint[]) as handled (aggregate_id, queue, sequence)
         join outbox earlier on earlier.aggregate_id = handled.aggregate_id and earlier.queue = handled.queue
             and earlier.sequence < handled.sequence
         where earlier.consumed_at is null",
    )
    .bind(places.iter().map(|place| place.aggregate_id).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.queue.as_str()).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.sequence).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
}

/// Has events published again, each once, that no consumer has handled so long after they were
/// published. How many, by queue.
///
/// # Errors
/// The database's.
pub async fn publish_lost_again(
    tx: &mut PgConnection,
    patience: Duration,
    limit: i64,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "with lost as (
             select event_id, queue from outbox
             where consumed_at is null and sent_again_at is null
                 and published_at < now() - make_interval(secs => $1)
             order by published_at limit $2 for update skip locked
         ), again as (
             update outbox set published_at = null, sent_again_at = now() from lost
             where outbox.event_id = lost.event_id and outbox.queue = lost.queue returning outbox.queue
         )
         select queue, count(*) from again group by queue order by queue",
    )
    .bind(patience.as_secs_f64())
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Records that `consumer` has had this event's effect; false when it had before.
///
/// # Errors
/// The database's.
pub async fn record_effect(
    tx: &mut PgConnection,
    consumer: &str,
    event_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let recorded = sqlx::query(
        "insert into inbox (consumer, event_id) values ($1, $2) on conflict do nothing",
    )
    .bind(consumer)
    .bind(event_id)
    .execute(tx)
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// Keeps other runs of `consumer` from having this event's effect for a while;
/// false when one of them does so now. Whether the effect was had before is to
/// be asked afterwards.
///
/// # Errors
/// The database's.
pub async fn lease_effect(
    tx: &mut PgConnection,
    consumer: &str,
    event_id: Uuid,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let leased = sqlx::query(
        "insert into inbox_leases (consumer, event_id, leased_until)
         values ($1, $2, now() + make_interval(secs => $3))
         on conflict (consumer, event_id) do update set leased_until = excluded.leased_until
         where inbox_leases.leased_until < now()",
    )
    .bind(consumer)
    .bind(event_id)
    .bind(lease.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(leased.rows_affected() == 1)
}

/// Ends such a lease.
///
/// # Errors
/// The database's.
pub async fn end_lease(
    tx: &mut PgConnection,
    consumer: &str,
    event_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from inbox_leases where consumer = $1 and event_id = $2")
        .bind(consumer)
        .bind(event_id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether `consumer` has had this event's effect.
///
/// # Errors
/// The database's.
pub async fn had_effect(
    tx: &mut PgConnection,
    consumer: &str,
    event_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from inbox where consumer = $1 and event_id = $2)")
        .bind(consumer)
        .bind(event_id)
        .fetch_one(tx)
        .await
}
