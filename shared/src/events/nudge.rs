//! Tells the workers of what is stored elsewhere than in the outbox, or waits for long.

use futures::future::join_all;
use uuid::Uuid;

use crate::clock;
use crate::domain::events::{Envelope, Event, Queue};
use crate::domain::ids;
use crate::state::Base;

/// Orders that workers are told of at once.
const AT_ONCE: usize = 10;

/// Tells a worker what is to be done for an order. A failure is only logged: the
/// order itself is the truth, and the sweeper finds it.
pub async fn nudge(base: &Base, order_id: Uuid, event: &Event) {
    let envelope = match envelope(order_id, event) {
        Ok(envelope) => envelope,
        Err(error) => return tracing::error!(error = %error, "the event cannot be written"),
    };
    if let Err(error) = base.queues.nudge(Queue::Orders, &envelope).await {
        tracing::warn!(order.id = %order_id, error = %error, "the sweeper finds the order");
    }
}

/// Tells the workers what is to be done for many orders.
pub async fn nudge_all(base: &Base, orders: &[(Uuid, Event)]) {
    for some in orders.chunks(AT_ONCE) {
        let nudges = some.iter().map(|(id, event)| nudge(base, *id, event));
        join_all(nudges).await;
    }
}

fn envelope(aggregate_id: Uuid, event: &Event) -> serde_json::Result<Envelope> {
    Ok(Envelope {
        id: ids::new_id(),
        type_: event.type_name().to_owned(),
        version: Event::VERSION,
        aggregate_id,
        sequence: 0,
        occurred_at: clock::now(),
        payload: serde_json::to_value(event)?,
    })
}
