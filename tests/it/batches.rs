//! What a queue sees of a batch: what was not begun, and what is too long to be looked at.

use crate::dead_letters::whole::send;
use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde_json::{Value, json};
use shared::context::{self, Context, Deadline};
use shared::domain::events::{BODY_BYTES_MAX, Envelope, Event};
use shared::events::{Failure, handle_batch};
use shared::resilience::policies::RECORD_TIMEOUT;
use shared::state::{AppState, Mailer};
use tests::shop::eventually;
use tests::state::Changed;
use tests::traces::log_lines;
use tests::{Stack, TestQueue};
use time::OffsetDateTime;
use uuid::Uuid;

/// An event about an account that there is none of, in this trace.
fn event(trace: &str) -> Value {
    let id = Uuid::now_v7();
    json!({
        "id": id, "type": "address_taken", "version": 1, "aggregate_id": id, "sequence": 0,
        "occurred_at": "2026-11-01T12:00:00Z", "trace_context": format!("00-{trace}-00f067aa0ba902b7-01"),
        "payload": {"type": "address_taken", "data": {"user_id": id}},
    })
}

fn new_trace() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A mailer that listens to this queue.
async fn listener(queue: &TestQueue) -> AppState<Mailer> {
    let changed = Changed::new().with("MAIL_QUEUE_URL", &queue.url);
    changed.state().await
}

fn failed(response: SqsBatchResponse) -> Vec<String> {
    let failures = response.batch_item_failures.into_iter();
    failures.map(|failure| failure.item_identifier).collect()
}

#[tokio::test]
async fn what_was_not_begun_is_visible_at_once_and_never_a_dead_letter() {
    let queue = TestQueue::create().await;
    let state = listener(&queue).await;
    for _ in 0..2 {
        queue.send(&event(&new_trace()).to_string()).await;
    }
    let mut messages = queue.take().await;
    assert_eq!(messages.len(), 2);
    let handle = |_: Envelope, _: Event| async { Ok::<(), Failure>(()) };
    // More often than a message of ours is taken that fails by a defect.
    for receives in 2..=7 {
        let hurried = Context {
            request_id: String::new(),
            deadline: Deadline::after(RECORD_TIMEOUT),
        };
        // The first is done with; once more, it is as good as any other.
        let work = handle_batch(&state, queue.batch(&messages), handle);
        let back = failed(context::scope(hurried, work).await);
        let last = messages.pop().unwrap();
        assert_eq!(back, [last.message_id.unwrap()]);
        let mut again = eventually("it comes again", async || {
            let taken = queue.take().await;
            (!taken.is_empty()).then_some(taken)
        })
        .await;
        assert_eq!(again.len(), 1);
        let batch = queue.batch(&again);
        let attributes = &batch.records[0].attributes;
        assert_eq!(attributes["ApproximateReceiveCount"], receives.to_string());
        messages.append(&mut again);
    }
    assert!(queue.take_dead_letters().await.is_empty());
}

#[tokio::test]
async fn oversized_message_is_given_up_at_once_and_says_why() {
    let queue = TestQueue::create().await;
    let state = listener(&queue).await;
    let body = event(&new_trace()).to_string() + &" ".repeat(BODY_BYTES_MAX);
    queue.send(&body).await;
    let messages = queue.take().await;
    let handle = |_: Envelope, _: Event| async { Err::<(), _>(Failure::again("it was read")) };
    let response = handle_batch(&state, queue.batch(&messages), handle).await;
    assert_eq!(failed(response), Vec::<String>::new());
    let dead = queue.take_dead_letters().await;
    let batch = queue.dead_batch(&dead);
    let record = &batch.records[0];
    let said = |name: &str| {
        record.message_attributes[name]
            .string_value
            .clone()
            .unwrap()
    };
    assert_eq!(said("error_class"), "unknown_event");
    assert!(said("error").ends_with("bytes, more than any event"));
    assert_eq!(record.body.as_deref(), Some(body.as_str()));
}

#[tokio::test]
async fn line_of_a_message_has_the_trace_of_its_event() {
    let (stack, since, trace) = (Stack::running(), OffsetDateTime::now_utc(), new_trace());
    send("mail", &event(&trace).to_string(), &json!({})).await;
    let group = format!("/aws/lambda/holdfast-{}-mailer", local::stack::STAGE);
    let line = eventually("the line", async || {
        let lines = log_lines(&stack, &group, since).await;
        let line = lines.lines().find(|line| line.contains(&trace))?;
        serde_json::from_str::<Value>(&line[line.find('{')?..]).ok()
    })
    .await;
    assert_eq!(line["trace_id"], trace);
    assert_eq!(
        (&line["message"], &line["outcome"]),
        (&json!("message"), &json!("done"))
    );
}
