//! Runs a handler over a batch of SQS messages all at once, for work that is
//! cheaper together: each message is still decoded, and fails, by itself.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use time::OffsetDateTime;

use super::batch::{conclude, failed_item};
use super::consumption::consumed;
use super::failure::Failure;
use crate::clock;
use crate::context::{self, Context};
use crate::domain::events::{Envelope, Event, Place, UnknownEvent};
use crate::resilience::policies::BATCH_TIMEOUT;
use crate::resilience::{Deadline, SharedState};
use crate::state::{AppState, Base};

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

/// Runs `handle` for all events of a batch, and reports exactly those that
/// failed. It answers one result per event, in their order. Those that failed
/// wait in their queue, as in [`super::handle_batch`].
pub async fn handle_together<F>(
    base: &Base,
    batch: SqsEvent,
    handle: impl Fn(Vec<Sent>) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Vec<Result<(), Failure>>>,
{
    let started = Instant::now();
    let read: Vec<_> = batch.records.iter().map(event_of).collect();
    let events = read.iter().flatten().cloned().collect();
    let context = Context {
        request_id: batch.records.first().map(id_of).unwrap_or_default(),
        deadline: Deadline::after(BATCH_TIMEOUT),
    };
    let mut results = context::scope(context, handle_caught(events, &handle))
        .await
        .into_iter();
    let mut response = SqsBatchResponse::default();
    for (message, event) in batch.records.iter().zip(read) {
        let event_type = event.as_ref().map(|sent| sent.event.type_name());
        let event_type = event_type.unwrap_or_default();
        let result = match event {
            Ok(_) => results.next().unwrap_or(Err(Failure::Panicked)),
            Err(unknown) => Err(unknown.into()),
        };
        if !conclude(base, message, event_type, result, started.elapsed()).await {
            let failed = failed_item(id_of(message));
            response.batch_item_failures.push(failed);
        }
    }
    response
}

/// After a panic each event is tried by itself, so that one keeps no others waiting.
async fn handle_caught<F>(
    events: Vec<Sent>,
    handle: &impl Fn(Vec<Sent>) -> F,
) -> Vec<Result<(), Failure>>
where
    F: Future<Output = Vec<Result<(), Failure>>>,
{
    if events.is_empty() {
        return Vec::new();
    }
    let caught = async |events| {
        let work = async { handle(events).await };
        AssertUnwindSafe(work).catch_unwind().await
    };
    if let Ok(results) = caught(events.clone()).await {
        return results;
    }
    let mut results = Vec::new();
    for event in events {
        let alone = caught(vec![event]).await.ok();
        let result = alone.and_then(|mut results| results.pop());
        results.push(result.unwrap_or(Err(Failure::Panicked)));
    }
    results
}

fn event_of(message: &SqsMessage) -> Result<Sent, UnknownEvent> {
    let envelope = Envelope::parse(message.body.as_deref().unwrap_or_default())?;
    let event = envelope.event()?;
    let sent = message.attributes.get("SentTimestamp");
    let milliseconds = sent.and_then(|sent| sent.parse::<i128>().ok());
    let at = milliseconds.and_then(|milliseconds| {
        OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
    });
    // Without it, this moment: later than any commit that the event can tell of.
    let at = at.unwrap_or_else(clock::now);
    let place = envelope.place();
    Ok(Sent { event, at, place })
}

fn id_of(message: &SqsMessage) -> String {
    message.message_id.clone().unwrap_or_default()
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
        async move {
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
            Ok::<_, Error>(handle_together(base, event.payload, run).await)
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::config::{Config, ProjectorConfig};
    use crate::state::Projector;

    fn batch(products: &[u128]) -> SqsEvent {
        let record = |n: &u128| {
            let id = Uuid::from_u128(*n);
            let payload = json!({"type": "product_changed", "data": {"product_id": id}});
            let body = json!({"id": id, "type": "product_changed", "version": 1, "aggregate_id": id,
                "sequence": 1, "occurred_at": "2026-01-01T00:00:00Z", "payload": payload});
            let body = if *n == 0 {
                "poison".to_owned()
            } else {
                body.to_string()
            };
            json!({"messageId": n.to_string(), "body": body})
        };
        let records: Vec<_> = products.iter().map(record).collect();
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    /// Nothing is there, and no message comes from one of its queues, so nothing is sent.
    fn nothing() -> AppState<Projector> {
        let aws = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .build();
        let config = ProjectorConfig::parse(crate::config::tests::complete()).unwrap();
        AppState::assemble(config, &aws)
    }

    fn number(event: &Event) -> u128 {
        match event {
            Event::ProductChanged { product_id } => product_id.as_u128(),
            _ => 0,
        }
    }

    async fn failed(
        products: &[u128],
        handle: impl Fn(&Event) -> Result<(), Failure>,
    ) -> Vec<String> {
        let handle = &handle;
        let run = |events: Vec<Sent>| async move {
            events.iter().map(|sent| handle(&sent.event)).collect()
        };
        let response = handle_together(&nothing(), batch(products), run).await;
        let failures = response.batch_item_failures.into_iter();
        failures.map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn poison_and_failures_alone_go_back() {
        let handle = |event: &Event| match number(event) {
            2 => Err(Failure::again("not now")),
            _ => Ok(()),
        };
        assert_eq!(failed(&[1, 0, 2, 3], handle).await, ["0", "2"]);
        assert_eq!(failed(&[0], handle).await, ["0"]);
    }

    #[tokio::test]
    async fn event_with_a_defect_keeps_no_other_waiting() {
        let handle = |event: &Event| match number(event) {
            2 => panic!("a defect"),
            _ => Ok(()),
        };
        assert_eq!(failed(&[1, 2, 3], handle).await, ["2"]);
    }
}
