//! Tells the workers of what is in no outbox: it is stored elsewhere, waits for long, or may be lost.

use futures::future::join_all;
use uuid::Uuid;

use crate::clock;
use crate::context;
use crate::domain::activity::Activity;
use crate::domain::events::{Envelope, Event, Queue};
use crate::domain::ids;
use crate::state::Base;

/// Orders that workers are told of at once.
const AT_ONCE: usize = 10;

/// Tells a worker what is to be done for an order. A failure is only logged: the
/// order itself is the truth, and the sweeper finds it.
pub async fn nudge(base: &Base, order_id: Uuid, event: &Event) {
    if !send(base, Queue::Orders, order_id, event).await {
        tracing::warn!(order.id = %order_id, "the sweeper finds the order");
    }
}

/// Tells the workers what is to be done for many orders.
pub async fn nudge_all(base: &Base, orders: &[(Uuid, Event)]) {
    for some in orders.chunks(AT_ONCE) {
        let nudges = some.iter().map(|(id, event)| nudge(base, *id, event));
        join_all(nudges).await;
    }
}

/// Passes on what browsers reported, each standing for `weight`. False when it is lost: figures
/// are worth no more than one short try.
pub async fn report(base: &Base, weight: u32, activities: Vec<Activity>) -> bool {
    let event = Event::ActivityReported { weight, activities };
    send(base, Queue::Analytics, ids::new_id(), &event).await
}

async fn send(base: &Base, queue: Queue, aggregate_id: Uuid, event: &Event) -> bool {
    let envelope = match envelope(queue, aggregate_id, event) {
        Ok(envelope) => envelope,
        Err(error) => {
            tracing::error!(error = %error, "the event cannot be written");
            return false;
        }
    };
    let sent = base.queues.nudge(queue, &envelope).await;
    let sent = sent.inspect_err(|error| {
        tracing::warn!(queue = queue.name(), error = %error, "the event was not sent");
    });
    sent.is_ok()
}

fn envelope(queue: Queue, aggregate_id: Uuid, event: &Event) -> serde_json::Result<Envelope> {
    Ok(Envelope {
        id: ids::new_id(),
        type_: event.type_name().to_owned(),
        version: Event::VERSION,
        aggregate_id,
        queue: queue.name().to_owned(),
        sequence: 0,
        occurred_at: clock::now(),
        trace_context: context::trace().map(|trace| trace.to_string()),
        payload: serde_json::to_value(event)?,
    })
}
