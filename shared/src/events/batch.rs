//! Runs a handler over a batch of SQS messages, each decoded and failing by itself.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::context::{self, Context};
use crate::domain::events::{Envelope, Event, UnknownEvent};
use crate::resilience::Deadline;
use crate::resilience::policies::BATCH_TIMEOUT;
use crate::state::AppState;
use crate::telemetry;

/// Why a message was not processed. It goes back to its queue and, after some
/// receives, to the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not an event that this release knows.
    #[error("the message cannot be understood")]
    Unknown(#[from] UnknownEvent),
    /// It may work when it comes again.
    #[error("the message could not be processed now")]
    Again(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The handler has a defect.
    #[error("the handler panicked")]
    Panicked,
}

impl Failure {
    /// Try again later because of `source`.
    pub fn again(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Again(source.into())
    }
}

/// Runs `handle` for every message, one after the other, and reports exactly
/// those that failed.
pub async fn handle_batch<F>(
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
        let work = handle_message(&message, &handle);
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
async fn handle_message<F>(message: &SqsMessage, handle: &impl Fn(Envelope, Event) -> F) -> bool
where
    F: Future<Output = Result<(), Failure>>,
{
    let started = Instant::now();
    let mut event_type = String::new();
    let work = async {
        let envelope = Envelope::parse(message.body.as_deref().unwrap_or_default())?;
        event_type.clone_from(&envelope.type_);
        let event = envelope.event()?;
        handle(envelope, event).await
    };
    let result = AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or(Err(Failure::Panicked));
    log(message, &event_type, &result, started.elapsed());
    result.is_ok()
}

pub(super) fn log(
    message: &SqsMessage,
    event_type: &str,
    result: &Result<(), Failure>,
    duration: Duration,
) {
    if let Err(error) = result {
        log_failure(message, error);
    }
    telemetry::message(telemetry::Message {
        message_id: message.message_id.as_deref().unwrap_or_default(),
        event_type,
        outcome: if result.is_ok() { "done" } else { "again" },
        duration,
    });
}

fn log_failure(message: &SqsMessage, failure: &Failure) {
    let message_id = message.message_id.as_deref().unwrap_or_default();
    tracing::warn!(
        messaging.message.id = message_id,
        error = telemetry::chain(failure),
        "the message goes back"
    );
}

/// Serves a queue's function until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_batches<F, H>(state: AppState, handle: H) -> Result<(), Error>
where
    H: Fn(AppState, Envelope, Event) -> F,
    F: Future<Output = Result<(), Failure>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let (state, handle) = (&state, &handle);
        async move {
            let run = |envelope, event| handle(state.clone(), envelope, event);
            Ok::<_, Error>(handle_batch(event.payload, run).await)
        }
    }))
    .await
}

/// Serves a scheduled function until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_schedule<F, H>(state: AppState, run: H) -> Result<(), Error>
where
    H: Fn(AppState) -> F,
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
