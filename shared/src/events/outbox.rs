//! Publishes what the outbox holds.

use uuid::Uuid;

use crate::domain::events::Queue;
use crate::state::AppState;
use crate::store::outbox::{self, Pending};
use crate::store::{PgConnection, StoreError, database};

/// Unpublished events younger than this are left to the request that wrote them.
const SETTLED_SECONDS: f64 = 5.0;

/// Aggregates per sweep; what is left over is next minute's.
const AGGREGATES_PER_SWEEP: i64 = 500;

/// Publishes an aggregate's events right after the commit that wrote them. A
/// failure is only logged: the sweeper publishes what is left.
pub async fn publish(state: &AppState, aggregate: Uuid) {
    if let Err(error) = publish_aggregate(state, aggregate).await {
        tracing::warn!(error = %error, "events wait in the outbox");
    }
}

/// Publishes what was left over; the number of events.
///
/// # Errors
/// The database is away.
pub async fn sweep(state: &AppState) -> Result<usize, StoreError> {
    let mut tx = state.database.begin().await?;
    let left = async {
        let left = outbox::unpublished_aggregates(&mut tx, SETTLED_SECONDS, AGGREGATES_PER_SWEEP);
        Ok(left.await?)
    };
    let aggregates = database::within::<_, StoreError>(left).await?;
    database::commit(tx).await?;
    let mut published = 0;
    for aggregate in aggregates {
        published += publish_aggregate(state, aggregate).await?;
    }
    Ok(published)
}

/// Publishes an aggregate's events in order and stops at the first that a queue
/// does not take. A kill between sending and marking sends again.
async fn publish_aggregate(state: &AppState, aggregate: Uuid) -> Result<usize, StoreError> {
    let mut tx = state.database.begin().await?;
    let mut published = 0;
    for pending in database::within(claim(&mut tx, aggregate)).await? {
        let Some(queue) = Queue::from_name(&pending.queue) else {
            continue;
        };
        let envelope = pending.envelope();
        if let Err(error) = state.queues.send(queue, &envelope).await {
            tracing::warn!(queue = queue.name(), error = %error, "the event waits in the outbox");
            break;
        }
        let marked = outbox::mark_published(&mut tx, envelope.id, queue.name());
        database::within::<_, StoreError>(async { Ok(marked.await?) }).await?;
        published += 1;
    }
    database::commit(tx).await?;
    Ok(published)
}

/// What is to be published, unless somebody else is at it.
async fn claim(tx: &mut PgConnection, aggregate: Uuid) -> Result<Vec<Pending>, StoreError> {
    if !outbox::claim_aggregate(tx, aggregate).await? {
        return Ok(Vec::new());
    }
    Ok(outbox::pending(tx, aggregate).await?)
}
