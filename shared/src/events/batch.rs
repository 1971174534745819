//! Runs a handler over a batch of SQS messages, each decoded and failing by itself.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::context::{self, Context};
use crate::domain::events::{Envelope, Event};
use crate::resilience::policies::BATCH_TIMEOUT;
use crate::resilience::{Deadline, SharedState};
use crate::state::{AppState, Base};
use crate::telemetry;

use super::consumption::consumed;
use super::dead_letters;
use super::failure::{Failure, dispose};

/// Runs `handle` for every message, one after the other, and reports exactly
/// those that failed. Each of these waits a while in its queue, longer with every
/// failure; one that is given up goes to the dead letters and is done with.
pub async fn handle_batch<F>(
    base: &Base,
    batch: SqsEvent,
    handle: impl Fn(Envelope, Event) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut response = SqsBatchResponse::default();
    let deadline = Deadline::after(BATCH_TIMEOUT);
    for message in batch.records {
        let request_id = message.message_id.clone().unwrap_or_default();
        // A handler's future is large, and the caller's stack may be small.
        let work = Box::pin(handle_message(base, &message, &handle));
        if !context::scope(
            Context {
                request_id: request_id.clone(),
                deadline,
            },
            work,
        )
        .await
        {
            response.batch_item_failures.push(failed_item(request_id));
        }
    }
    response
}

pub(super) fn failed_item(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

/// Whether the message is done with.
async fn handle_message<F>(
    base: &Base,
    message: &SqsMessage,
    handle: &impl Fn(Envelope, Event) -> F,
) -> bool
where
    F: Future<Output = Result<(), Failure>>,
{
    let started = Instant::now();
    let mut event_type = String::new();
    let work = async {
        let envelope = Envelope::parse(message.body.as_deref().unwrap_or_default())?;
        event_type.clone_from(&envelope.type_);
        let event = envelope.event()?;
        context::traced(envelope.trace(), handle(envelope, event)).await
    };
    let result = AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or(Err(Failure::Panicked));
    conclude(base, message, &event_type, result, started.elapsed()).await
}

/// Logs what became of a message, confirms one that was replayed, and disposes of one that
/// failed. Whether it is done with.
pub(super) async fn conclude(
    base: &Base,
    message: &SqsMessage,
    event_type: &str,
    result: Result<(), Failure>,
    duration: Duration,
) -> bool {
    let result = match result {
        Ok(()) => dead_letters::confirm(base, message).await,
        failed => failed,
    };
    let outcome = match &result {
        Ok(()) => "done",
        Err(failure) => {
            log_failure(message, failure);
            match dispose(&base.queues, message, failure).await {
                true => "rejected",
                false => "again",
            }
        }
    };
    telemetry::message(telemetry::Message {
        message_id: message.message_id.as_deref().unwrap_or_default(),
        event_type,
        outcome,
        duration,
    });
    outcome != "again"
}

pub(super) fn log_failure(message: &SqsMessage, failure: &Failure) {
    let message_id = message.message_id.as_deref().unwrap_or_default();
    tracing::warn!(
        messaging.message.id = message_id,
        error = telemetry::chain(failure),
        "the message was not processed"
    );
}

/// Serves a queue's function until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_batches<P, F, H>(state: AppState<P>, handle: H) -> Result<(), Error>
where
    P: AsRef<Base>,
    H: Fn(AppState<P>, Envelope, Event) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let (state, handle) = (&state, &handle);
        async move {
            // Nobody waits for a batch as for a request, so it knows what operators want.
            let base = state.as_ref();
            base.breakers.refresh().await;
            let run = |envelope: Envelope, event| {
                let place = envelope.place();
                let work = handle(state.clone(), envelope, event);
                async move {
                    work.await?;
                    consumed(base, place.as_slice()).await;
                    Ok::<_, Failure>(())
                }
            };
            Ok::<_, Error>(handle_batch(base, event.payload, run).await)
        }
    }))
    .await
}

/// Serves a scheduled function until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_schedule<P, F, H>(state: AppState<P>, run: H) -> Result<(), Error>
where
    H: Fn(AppState<P>) -> F,
    F: Future<Output = Result<Value, Error>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let context = Context {
            request_id: event.context.request_id,
            deadline: Deadline::after(BATCH_TIMEOUT),
        };
        let work = run(state.clone());
        async move { context::scope(context, work).await }
    }))
    .await
}
