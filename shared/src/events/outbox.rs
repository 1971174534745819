//! Publishes what the outbox holds.

use uuid::Uuid;

use crate::context::{self, Context};
use crate::domain::events::Queue;
use crate::resilience::policies::{CONSUMED_WITHIN, PUBLISH_PAUSE, PUBLISH_TIMEOUT, PUBLISH_WAIT};
use crate::resilience::{Class, Deadline};
use crate::state::Base;
use crate::store::outbox::{self, Pending};
use crate::store::{PgConnection, StoreError, database};
use crate::telemetry;

/// Unpublished events younger than this are left to the request that wrote them.
const SETTLED_SECONDS: f64 = 5.0;

/// Aggregates per sweep; what is left over is next minute's.
const AGGREGATES_PER_SWEEP: i64 = 500;

/// Events per sweep that are sent again; what is left over is next minute's.
const AGAIN_PER_SWEEP: i64 = 500;

/// Aggregates in a row that no queue took anything of, after which a sweep gives up.
const AWAY_MAX: usize = 3;

/// Why a sweep did not publish everything.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Queues were away or refused events.
    #[error(
        "queues did not take the events of {left} aggregates; {published} events were published"
    )]
    Queues {
        /// Events that were published all the same.
        published: usize,
        /// Aggregates with events that wait for their queues.
        left: usize,
    },
}

/// Publishes an aggregate's events right after the commit that wrote them. A
/// failure is only logged, and a queue that does not answer costs the request
/// no more than [`PUBLISH_TIMEOUT`], after waiting for no more than [`PUBLISH_WAIT`] for another
/// request that publishes events of the aggregate: the sweeper publishes what is left.
pub async fn publish(base: &Base, aggregate: Uuid) {
    let patience = context::deadline().min(Deadline::after(PUBLISH_WAIT));
    loop {
        let deadline = context::deadline().min(Deadline::after(PUBLISH_TIMEOUT));
        match publish_aggregate(base, aggregate, deadline).await {
            // Whoever is at it may have looked before our commit, and does not look again.
            Ok(published) if published.is_taken && patience.remaining() > PUBLISH_PAUSE => {
                tokio::time::sleep(PUBLISH_PAUSE).await;
            }
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = %error, "events wait in the outbox");
                return;
            }
        }
    }
}

/// Publishes what was left over; the number of events. An aggregate that cannot be
/// published keeps no other waiting.
///
/// # Errors
/// The database is away, or could not do it for one of the aggregates; or queues did not take
/// what there was.
pub async fn sweep(base: &Base) -> Result<usize, SweepError> {
    let left = base.database.write(async |tx| {
        outbox::unpublished_aggregates(tx, SETTLED_SECONDS, AGGREGATES_PER_SWEEP).await
    });
    let aggregates = left.await?;
    let (mut count, mut left, mut away, mut result) = (0, 0, 0, Ok(()));
    for (index, &aggregate) in aggregates.iter().enumerate() {
        match publish_aggregate(base, aggregate, context::deadline()).await {
            Ok(published) => {
                count += published.count;
                left += usize::from(published.is_left);
                away = if published.queue_away { away + 1 } else { 0 };
            }
            Err(error @ StoreError::Unavailable(_)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(aggregate = %aggregate, error = %error, "its events wait");
                result = Err(error);
            }
        }
        if away == AWAY_MAX {
            tracing::warn!("the queues are away, the rest is left for the next sweep");
            left += aggregates.len() - index - 1;
            break;
        }
    }
    result?;
    match left {
        0 => Ok(count),
        left => Err(SweepError::Queues {
            published: count,
            left,
        }),
    }
}

/// Has those events published again, each once, that were published long ago and never handled: a
/// queue lost them, or their consumer gave them up. The next [`sweep`] sends them. How many.
///
/// # Errors
/// The database's.
pub async fn send_again(base: &Base) -> Result<usize, StoreError> {
    let lost = base
        .database
        .write(async |tx| outbox::publish_lost_again(tx, CONSUMED_WITHIN, AGAIN_PER_SWEEP).await);
    let mut count = 0;
    for (queue, events) in lost.await? {
        tracing::warn!(
            queue,
            events,
            "events were never handled and are sent again"
        );
        telemetry::count(("queue", &queue), &[("EventsMissing", events as f64)]);
        count += usize::try_from(events).unwrap_or_default();
    }
    Ok(count)
}

/// What became of an aggregate's events.
#[derive(Default)]
struct Published {
    count: usize,
    /// Somebody else is at it, and nothing was done.
    is_taken: bool,
    /// A queue did not take all of its events.
    is_left: bool,
    /// A queue did not answer, rather than refuse an event.
    queue_away: bool,
}

/// Publishes an aggregate's events, in order to each queue: after one that its queue
/// does not take by `deadline`, that queue gets no later one. A kill between sending
/// and marking sends again.
async fn publish_aggregate(
    base: &Base,
    aggregate: Uuid,
    deadline: Deadline,
) -> Result<Published, StoreError> {
    let mut tx = base.database.begin().await?;
    let mut published = Published::default();
    let mut stopped = Vec::new();
    let Some(waiting) = database::within(claim(&mut tx, aggregate)).await? else {
        published.is_taken = true;
        return Ok(published);
    };
    for pending in waiting {
        let queue = Queue::from_name(&pending.queue);
        let Some(queue) = queue.filter(|queue| !stopped.contains(queue)) else {
            continue;
        };
        let envelope = pending.envelope();
        let context = Context {
            request_id: context::request_id(),
            deadline,
        };
        let sending = base.queues.send(queue, &envelope);
        if let Err(error) = context::scope(context, sending).await {
            tracing::warn!(queue = queue.name(), error = %error, "the event waits in the outbox");
            published.is_left = true;
            published.queue_away |= error.class() == Class::Transient;
            stopped.push(queue);
            continue;
        }
        let marked = outbox::mark_published(&mut tx, envelope.id, queue.name());
        database::statement(marked).await?;
        published.count += 1;
    }
    database::commit(tx).await?;
    Ok(published)
}

/// What is to be published, unless somebody else is at it.
async fn claim(tx: &mut PgConnection, aggregate: Uuid) -> Result<Option<Vec<Pending>>, StoreError> {
    if !outbox::claim_aggregate(tx, aggregate).await? {
        return Ok(None);
    }
    Ok(Some(outbox::pending(tx, aggregate).await?))
}
