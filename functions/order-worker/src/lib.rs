//! `order-worker`: what is left to do for an order, one message at a time.
#![recursion_limit = "256"]

use shared::domain::events::{Envelope, Event};
use shared::events::Failure;
use shared::operations::{OperationError, finish_intent, refund_order, settle_payment};
use shared::state::OrderWorker;
use shared::store::StoreError;
use uuid::Uuid;

/// What this function has at hand.
pub type AppState = shared::state::AppState<OrderWorker>;

/// Handles one event. What it does may have been done before: each operation
/// looks at what is stored, so the inbox of this consumer is the state itself.
///
/// # Errors
/// The message goes back to its queue.
pub async fn handle(state: AppState, _: Envelope, event: Event) -> Result<(), Failure> {
    match event {
        Event::PaymentDue { order_id } => settle_payment::settle_payment(&state, order_id)
            .await
            .map(drop),
        Event::OrderReceived {
            customer_id,
            order_id,
        } => finish_accepted(&state, customer_id, order_id).await,
        Event::WebhookReceived { provider_event_id } => {
            settle_payment::apply_webhook(&state, &provider_event_id).await
        }
        Event::RefundDue { refund_id, .. } => refund_order::make(&state, refund_id).await,
        // Sent to other queues.
        _ => return Err(Failure::defect("the event is not for this queue")),
    }
    .map_err(failure)
}

/// What the database refuses today it will most likely refuse tomorrow.
fn failure(error: OperationError) -> Failure {
    match error {
        OperationError::Store(StoreError::Constraint(..) | StoreError::Defect(_)) => {
            Failure::defect(error)
        }
        _ => Failure::again(error),
    }
}

/// Finishes an order that was accepted without the database. While there is no
/// writer the message is done with all the same: the order stands elsewhere, and
/// the sweeper tells of it again when there is one.
async fn finish_accepted(
    state: &AppState,
    customer_id: Uuid,
    order_id: Uuid,
) -> Result<(), OperationError> {
    match finish_intent::finish_intent(state, customer_id, order_id).await {
        Err(error) if finish_intent::has_no_writer(&error) => {
            tracing::warn!(order.id = %order_id, error = %error, "the order waits for a writer");
            Ok(())
        }
        result => result,
    }
}
