//! Runs a handler over a batch of SQS messages all at once, for work that is
//! cheaper together: each message is still decoded, and fails, by itself.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use time::OffsetDateTime;

use super::allowance::{Allowance, invocation};
use super::batch::{Said, conclude, failed_item, give_back, id_of};
use super::consumption::consumed;
use super::failure::Failure;
use crate::clock;
use crate::context::{self, Context};
use crate::domain::events::{Envelope, Event, Place, UnknownEvent};
use crate::resilience::SharedState;
use crate::state::{AppState, Base};

/// Messages whose queue is told at once what becomes of them.
const AT_ONCE: usize = 8;

/// An event, and when its queue got it: what it tells of was committed before.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The event.
    pub event: Event,
    /// By the queue's clock.
    pub at: OffsetDateTime,
    /// Where it stands in the journal; nowhere, if it is only a nudge.
    pub place: Option<Place>,
}

/// A message as far as it could be read.
struct Read<'a> {
    message: &'a SqsMessage,
    said: Said,
    sent: Result<Sent, UnknownEvent>,
}

/// What became of a message; nothing when there was no time to begin with it.
type Ended = Option<Result<(), Failure>>;

/// Runs `handle` for all events of a batch, and reports exactly those that are not
/// done with. It answers one result per event, in their order. Those that failed, or
/// that there was no time for, go back as in [`super::handle_batch`].
pub async fn handle_together<F>(
    base: &Base,
    batch: SqsEvent,
    handle: impl Fn(Vec<Sent>) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Vec<Result<(), Failure>>>,
{
    let started = Instant::now();
    let time = Allowance::of_batch();
    let read: Vec<Read<'_>> = batch.records.iter().map(read).collect();
    let events = read.iter().flat_map(|read| &read.sent).cloned().collect();
    let context = Context {
        request_id: batch.records.first().map(id_of).unwrap_or_default(),
        deadline: time.answer,
    };
    let work = async {
        let mut results = handle_caught(events, time, &handle).await.into_iter();
        let mut ended = Vec::new();
        for one in read {
            let result = match one.sent {
                Ok(_) => results.next().unwrap_or(Some(Err(Failure::Panicked))),
                Err(unknown) => Some(Err(unknown.into())),
            };
            ended.push(((one.message, one.said), result));
        }
        answer(base, ended, started.elapsed()).await
    };
    context::scope(context, Box::pin(work)).await
}

/// Says of each message what became of it: to its queue, in the log, and to Lambda.
async fn answer(
    base: &Base,
    mut ended: Vec<((&SqsMessage, Said), Ended)>,
    duration: Duration,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    while !ended.is_empty() {
        let some = ended.drain(..AT_ONCE.min(ended.len()));
        let some = some.map(|((message, said), result)| async move {
            let done = match result {
                Some(result) => conclude(base, (message, &said), result, duration).await,
                None => {
                    give_back(base, message, &said).await;
                    false
                }
            };
            (!done).then(|| failed_item(id_of(message)))
        });
        let failed = join_all(some).await.into_iter().flatten();
        response.batch_item_failures.extend(failed);
    }
    response
}

/// After a panic, or when all together take too long, each event is tried by itself in the time
/// that is left, so that one keeps no others waiting.
async fn handle_caught<F>(
    events: Vec<Sent>,
    time: Allowance,
    handle: &impl Fn(Vec<Sent>) -> F,
) -> Vec<Ended>
where
    F: Future<Output = Vec<Result<(), Failure>>>,
{
    if events.is_empty() {
        return Vec::new();
    }
    let request_id = context::request_id();
    let caught = async |events| {
        let work = async { handle(events).await };
        time.grant(&request_id, work).await
    };
    let failure = match caught(events.clone()).await {
        Ok(results) => return results.into_iter().map(Some).collect(),
        Err(failure) if events.len() == 1 => return vec![Some(Err(failure))],
        Err(failure) => failure,
    };
    tracing::warn!(error = %failure, "each event of the batch is tried by itself");
    let mut ended = Vec::new();
    for event in events {
        if !time.admits(ended.len()) {
            ended.push(None);
            continue;
        }
        let alone = caught(vec![event]).await;
        let none = || Err(Failure::Panicked);
        let result = alone.map(|mut results| results.pop().unwrap_or_else(none));
        ended.push(Some(result.unwrap_or_else(Err)));
    }
    ended
}

fn read(message: &SqsMessage) -> Read<'_> {
    let mut said = Said::default();
    let sent = event_of(message, &mut said);
    Read {
        message,
        said,
        sent,
    }
}

fn event_of(message: &SqsMessage, said: &mut Said) -> Result<Sent, UnknownEvent> {
    let envelope = Envelope::parse(message.body.as_deref().unwrap_or_default())?;
    *said = Said::of(&envelope, &envelope.trace());
    let event = envelope.event()?;
    let sent = message.attributes.get("SentTimestamp");
    let milliseconds = sent.and_then(|sent| sent.parse::<i64>().ok());
    let at = milliseconds.and_then(|milliseconds| {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
    });
    // Without it, this moment: later than any commit that the event can tell of.
    let at = at.unwrap_or_else(clock::now);
    let place = envelope.place();
    Ok(Sent { event, at, place })
}

/// Serves a queue's function until the environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_together<P, F, H>(state: AppState<P>, handle: H) -> Result<(), Error>
where
    P: AsRef<Base>,
    H: Fn(AppState<P>, Vec<Sent>) -> F,
    F: Future<Output = Vec<Result<(), Failure>>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let (state, handle) = (&state, &handle);
        let (batch, context) = event.into_parts();
        let work = async move {
            // Nobody waits for a batch as for a request, so it knows what operators want.
            let base = state.as_ref();
            base.breakers.refresh().await;
            let run = |events: Vec<Sent>| {
                let places: Vec<_> = events.iter().map(|sent| sent.place.clone()).collect();
                let work = handle(state.clone(), events);
                async move {
                    let results = work.await;
                    let done = places.into_iter().zip(&results);
                    let done = done.filter(|(_, result)| result.is_ok());
                    let done: Vec<Place> = done.filter_map(|(place, _)| place).collect();
                    consumed(base, &done).await;
                    results
                }
            };
            Ok::<_, Error>(handle_together(base, batch, run).await)
        };
        context::scope(invocation(context), work)
    }))
    .await
}
