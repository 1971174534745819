//! Batches with nothing behind them, in paused time: what hangs, panics or cannot be read, and what
//! becomes of its neighbours.

use std::cell::RefCell;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Failure, Sent, handle_batch, handle_together, keep_batch};
use crate::config::{Config, ProjectorConfig};
use crate::context::{self, Context, Deadline};
use crate::domain::events::{BODY_BYTES_MAX, Envelope, Event};
use crate::resilience::policies::{BATCH_TIMEOUT, DISPOSE_RESERVE, RECORD_TIMEOUT};
use crate::state::{AppState, Projector};

/// What tokio's clock may be late by.
const TICK: Duration = Duration::from_millis(5);

/// Messages with these numbers; 0 is no event.
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

fn failed(response: SqsBatchResponse) -> Vec<String> {
    let failures = response.batch_item_failures.into_iter();
    failures.map(|failure| failure.item_identifier).collect()
}

/// What was begun, and what failed, of a batch whose numbers up to 3 do what they stand for.
async fn one_by_one(batch: SqsEvent) -> (Vec<u128>, Vec<String>) {
    let begun = RefCell::new(Vec::new());
    let handle = |_: Envelope, event: Event| {
        let number = number(&event);
        begun.borrow_mut().push(number);
        async move {
            match number {
                1 => std::future::pending().await,
                2 => Err(Failure::again("not now")),
                3 => panic!("a defect"),
                _ => Ok(()),
            }
        }
    };
    let response = handle_batch(&nothing(), batch, handle).await;
    (begun.take(), failed(response))
}

/// As for an invocation that Lambda ends soon.
async fn with_so_much_left<F: Future>(left: Duration, work: F) -> F::Output {
    let context = Context {
        request_id: String::new(),
        deadline: Deadline::after(left),
    };
    context::scope(context, work).await
}

#[tokio::test(start_paused = true)]
async fn message_that_hangs_fails_by_itself_and_in_its_time() {
    let started = Instant::now();
    let (begun, failed) = one_by_one(batch(&[4, 1, 2, 0, 3, 5])).await;
    assert_eq!(begun, [4, 1, 2, 3, 5]);
    assert_eq!(failed, ["1", "2", "0", "3"]);
    let took = started.elapsed();
    assert!(
        took >= RECORD_TIMEOUT && took <= RECORD_TIMEOUT + TICK,
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_for_is_not_begun_and_goes_back() {
    let started = Instant::now();
    let (begun, failed) = one_by_one(batch(&[4, 1, 1, 5, 6])).await;
    assert_eq!(begun, [4, 1, 1]);
    assert_eq!(failed, ["1", "1", "5", "6"]);
    assert!(started.elapsed() < BATCH_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn what_lambda_leaves_bounds_a_batch() {
    let started = Instant::now();
    let left = RECORD_TIMEOUT;
    let (begun, failed) = with_so_much_left(left, one_by_one(batch(&[1, 4]))).await;
    assert_eq!((begun, failed.len()), (vec![1], 2));
    let took = started.elapsed();
    assert!(took <= left - DISPOSE_RESERVE + TICK, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn first_message_is_begun_however_late_its_batch_comes() {
    let (begun, failed) = with_so_much_left(Duration::ZERO, one_by_one(batch(&[4, 5]))).await;
    assert_eq!((begun, failed), (vec![4], vec!["5".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn handler_knows_how_much_time_it_has() {
    let handle = |_: Envelope, _: Event| async {
        assert_eq!(context::deadline().remaining(), RECORD_TIMEOUT);
        Ok::<(), Failure>(())
    };
    let response = handle_batch(&nothing(), batch(&[1, 2]), handle).await;
    assert!(failed(response).is_empty());
}

#[tokio::test(start_paused = true)]
async fn oversized_body_keeps_no_other_waiting_and_is_not_handled() {
    let mut batch = batch(&[4, 5]);
    let event = batch.records[0].body.take().unwrap();
    batch.records[0].body = Some(event + &" ".repeat(BODY_BYTES_MAX));
    let (begun, failed) = one_by_one(batch).await;
    assert_eq!((begun, failed), (vec![5], vec!["4".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn dead_letter_that_hangs_keeps_no_other_away() {
    let keep = |letter: super::DeadLetter| async move {
        match letter.message_id.as_str() {
            "1" => std::future::pending().await,
            _ => Ok::<(), Failure>(()),
        }
    };
    let kept = async |numbers: &[u128]| failed(keep_batch(batch(numbers), keep).await);
    assert_eq!(kept(&[1, 2, 3]).await, ["1"]);
    assert_eq!(kept(&[1, 1, 2]).await, ["1", "1", "2"]);
}

/// What failed of a batch that is handled together.
async fn together(
    products: &[u128],
    handle: impl AsyncFn(&Event) -> Result<(), Failure>,
) -> Vec<String> {
    let handle = &handle;
    let run = |events: Vec<Sent>| async move {
        let mut results = Vec::new();
        for sent in &events {
            results.push(handle(&sent.event).await);
        }
        results
    };
    failed(handle_together(&nothing(), batch(products), run).await)
}

#[tokio::test]
async fn poison_and_failures_alone_go_back() {
    let handle = async |event: &Event| match number(event) {
        2 => Err(Failure::again("not now")),
        _ => Ok(()),
    };
    assert_eq!(together(&[1, 0, 2, 3], handle).await, ["0", "2"]);
    assert_eq!(together(&[0], handle).await, ["0"]);
}

#[tokio::test]
async fn event_with_a_defect_keeps_no_other_waiting() {
    let handle = async |event: &Event| match number(event) {
        2 => panic!("a defect"),
        _ => Ok::<(), Failure>(()),
    };
    assert_eq!(together(&[1, 2, 3], handle).await, ["2"]);
}

#[tokio::test(start_paused = true)]
async fn event_that_hangs_is_found_out_among_those_of_its_batch() {
    let done = RefCell::new(Vec::new());
    let handle = async |event: &Event| {
        if number(event) == 3 {
            std::future::pending::<()>().await;
        }
        done.borrow_mut().push(number(event));
        Ok::<(), Failure>(())
    };
    // Of the time that is left it takes all, so the one behind it is not begun.
    assert_eq!(together(&[1, 2, 3, 4], handle).await, ["3", "4"]);
    // Together, and then each by itself.
    assert_eq!(done.take(), [1, 2, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn event_that_hangs_alone_is_not_tried_twice() {
    let started = Instant::now();
    let handle = async |_: &Event| std::future::pending::<Result<(), Failure>>().await;
    assert_eq!(together(&[1], handle).await, ["1"]);
    assert!(started.elapsed() <= RECORD_TIMEOUT + TICK);
}

#[tokio::test(start_paused = true)]
async fn batch_that_is_slow_together_is_done_as_far_as_there_is_time() {
    let slow = RECORD_TIMEOUT / 8;
    let handle = async |_: &Event| {
        tokio::time::sleep(slow).await;
        Ok::<(), Failure>(())
    };
    let products: Vec<u128> = (1..=10).collect();
    let failed = together(&products, handle).await;
    assert!(!failed.is_empty() && failed.len() < 10, "{failed:?}");
    // What went back is what came last.
    let last = products.iter().skip(10 - failed.len());
    let last: Vec<String> = last.map(u128::to_string).collect();
    assert_eq!(failed, last);
}

#[tokio::test(start_paused = true)]
async fn every_message_of_a_large_batch_is_answered_for() {
    let handle = async |event: &Event| match number(event) % 2 {
        0 => Err(Failure::again("not now")),
        _ => Ok(()),
    };
    let products: Vec<u128> = (1..=100).collect();
    let even: Vec<String> = (1..=50).map(|half| (2 * half).to_string()).collect();
    assert_eq!(together(&products, handle).await, even);
}
