//! Tells a worker of something that is stored elsewhere than in the outbox.

use uuid::Uuid;

use crate::clock;
use crate::domain::events::{Envelope, Event, Queue};
use crate::domain::ids;
use crate::domain::intent::OrderIntent;
use crate::state::Base;

/// Tells the worker that an accepted order waits. A failure is only logged: the
/// intent is the truth, and the sweeper finds it.
pub async fn nudge(base: &Base, intent: &OrderIntent) {
    let (customer_id, order_id) = (intent.customer_id, intent.order_id);
    let event = Event::OrderReceived {
        customer_id,
        order_id,
    };
    let envelope = match envelope(order_id, &event) {
        Ok(envelope) => envelope,
        Err(error) => return tracing::error!(error = %error, "the event cannot be written"),
    };
    if let Err(error) = base.queues.nudge(Queue::Orders, &envelope).await {
        tracing::warn!(order.id = %order_id, error = %error, "the sweeper finds the order");
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
