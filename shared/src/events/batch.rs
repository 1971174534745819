//! Runs a handler over a batch of SQS messages, each decoded and failing by itself.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::context::{self, Context};
use crate::domain::events::{Envelope, Event};
use crate::domain::trace::TraceContext;
use crate::resilience::SharedState;
use crate::state::{AppState, Base};
use crate::telemetry;

use super::allowance::{Allowance, invocation, scheduled};
use super::consumption::consumed;
use super::dead_letters;
use super::failure::{self, Failure, dispose};

/// Runs `handle` for every message, one after the other, and reports exactly
/// those that are not done with. One that failed, or took too long, waits a while in its
/// queue, longer with every failure; one that is given up goes to the dead letters. What is
/// left no time for is not begun, and goes back at once.
pub async fn handle_batch<F>(
    base: &Base,
    batch: SqsEvent,
    handle: impl Fn(Envelope, Event) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut response = SqsBatchResponse::default();
    let time = Allowance::of_batch();
    for (begun, message) in batch.records.iter().enumerate() {
        let context = Context {
            request_id: id_of(message),
            deadline: time.answer,
        };
        let work = async {
            if time.admits(begun) {
                return handle_message(base, message, time, &handle).await;
            }
            give_back(base, message, &Said::default()).await;
            false
        };
        if !context::scope(context, Box::pin(work)).await {
            let failed = failed_item(id_of(message));
            response.batch_item_failures.push(failed);
        }
    }
    response
}

pub(super) fn id_of(message: &SqsMessage) -> String {
    message.message_id.clone().unwrap_or_default()
}

/// What a message says of itself, for its line in the log; nothing when it was not read.
#[derive(Debug, Default)]
pub(super) struct Said {
    event_type: String,
    trace_id: String,
}

impl Said {
    /// What this envelope says, whose event belongs to `trace`.
    pub(super) fn of(envelope: &Envelope, trace: &TraceContext) -> Self {
        Self {
            event_type: envelope.type_.clone(),
            trace_id: trace.trace_id().to_owned(),
        }
    }
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
    time: Allowance,
    handle: &impl Fn(Envelope, Event) -> F,
) -> bool
where
    F: Future<Output = Result<(), Failure>>,
{
    let started = Instant::now();
    let mut said = Said::default();
    let work = async {
        let envelope = Envelope::parse(message.body.as_deref().unwrap_or_default())?;
        let trace = envelope.trace();
        said = Said::of(&envelope, &trace);
        let event = envelope.event()?;
        context::traced(trace, handle(envelope, event)).await
    };
    let result = time.grant(&context::request_id(), work).await;
    let result = result.unwrap_or_else(Err);
    conclude(base, (message, &said), result, started.elapsed()).await
}

/// Logs what became of a message, confirms one that was replayed, and disposes of one that
/// failed. Whether it is done with.
pub(super) async fn conclude(
    base: &Base,
    (message, said): (&SqsMessage, &Said),
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
    log(message, said, outcome, duration);
    outcome != "again"
}

/// Gives a message back that was not begun. It is not a failure of it.
pub(super) async fn give_back(base: &Base, message: &SqsMessage, said: &Said) {
    failure::give_back(&base.queues, message).await;
    log(message, said, "unprocessed", Duration::ZERO);
}

pub(super) fn log(message: &SqsMessage, said: &Said, outcome: &'static str, duration: Duration) {
    telemetry::message(telemetry::Message {
        message_id: message.message_id.as_deref().unwrap_or_default(),
        trace_id: &said.trace_id,
        event_type: &said.event_type,
        outcome,
        duration,
    });
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
        let (batch, context) = event.into_parts();
        let work = async move {
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
            Ok::<_, Error>(handle_batch(base, batch, run).await)
        };
        context::scope(invocation(context), work)
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
        let context = scheduled(event.context);
        let work = run(state.clone());
        async move { context::scope(context, work).await }
    }))
    .await
}
