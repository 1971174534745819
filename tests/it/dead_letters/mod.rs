//! What consumers gave up: kept, shown, replayed, discarded.

mod audit;
mod drill;
mod keep;
mod odd;
mod replay;
mod routes;
mod template;
pub(crate) mod whole;

use aws_lambda_events::event::sqs::SqsEvent;
use serde_json::{Value, json};
use shared::domain::events::Queue;
use shared::domain::ids;
use shared::events::keep_batch;
use shared::state::{AppState, DlqReplayer};
use shared::store::dead_letters::{self, Filter, Shown};
use tests::TestQueue;
use tests::state::Changed;
use uuid::Uuid;

pub(crate) use whole::send;

/// A replayer with a database and a queue of its own, which plays the part of `mail`.
struct Desk {
    state: AppState<DlqReplayer>,
    queue: TestQueue,
}

impl Desk {
    async fn open() -> Self {
        let base = tests::state::<DlqReplayer>().await;
        let queue = TestQueue::create().await;
        let changed = Changed::new().on_the_database_of(&base);
        let state = changed.with("MAIL_QUEUE_URL", &queue.url).state().await;
        Self { state, queue }
    }

    /// Has a message die; whether it is kept.
    async fn dies(&self, death: Death<'_>) -> bool {
        let arn = self.queue.url.rsplit('/').next().unwrap();
        let arn = format!("arn:aws:sqs:eu-central-1:000000000000:{arn}-dlq");
        keep(&self.state, death.batch(&arn)).await.is_empty()
    }

    async fn kept(&self) -> Vec<Shown> {
        kept(&self.state).await
    }

    /// The only one.
    async fn one(&self) -> Shown {
        let mut kept = self.kept().await;
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept.pop().unwrap()
    }

    /// Makes everything due that waits, or is parked.
    async fn release(&self) -> u64 {
        let mut tx = self.state.database.begin().await.unwrap();
        let all = Filter::default();
        let released = dead_letters::release_matching(&mut tx, Uuid::now_v7(), &all, 1_000).await;
        shared::store::database::commit(tx).await.unwrap();
        released.unwrap()
    }
}

/// A message that died.
#[derive(Clone, Copy)]
struct Death<'a> {
    message_id: &'a str,
    body: &'a str,
    class: &'a str,
    /// In seconds after midnight.
    at: u32,
    /// The dead letter that it was sent again for.
    replay_of: Option<Uuid>,
}

impl<'a> Death<'a> {
    fn of(body: &'a str, class: &'a str) -> Self {
        Self {
            message_id: "1",
            body,
            class,
            at: 10,
            replay_of: None,
        }
    }

    /// The same message, which its replay did not help.
    fn replayed(self, message_id: &'a str, at: u32) -> Self {
        Self {
            message_id,
            at,
            replay_of: Some(ids::dead_letter_id(Queue::Mail, self.body)),
            ..self
        }
    }

    fn batch(self, arn: &str) -> SqsEvent {
        let text = |value: &str| json!({"stringValue": value, "dataType": "String"});
        let at = format!("2026-11-01T00:00:{:02}Z", self.at);
        let mut record = json!({
            "messageId": self.message_id, "receiptHandle": "test", "body": self.body,
            "eventSourceARN": arn,
            "messageAttributes": {
                "error_class": text(self.class), "error": text("it broke for ada@shop.example"),
                "attempts": text("5"), "first_failed_at": text("2026-11-01T00:00:00Z"),
                "failed_at": text(&at),
            },
        });
        if let Some(id) = self.replay_of {
            record["messageAttributes"]["replay_of"] = text(&id.to_string());
        }
        serde_json::from_value(json!({"Records": [record]})).unwrap()
    }
}

/// The ids of the messages that stay in their queue.
async fn keep(state: &AppState<DlqReplayer>, batch: SqsEvent) -> Vec<String> {
    let response = keep_batch(batch, |letter| dlq_replayer::keep(state.clone(), letter)).await;
    let failures = response.batch_item_failures.into_iter();
    failures.map(|failure| failure.item_identifier).collect()
}

async fn kept(state: &AppState<DlqReplayer>) -> Vec<Shown> {
    let read = state.database.read_own(|pool| async move {
        dead_letters::page(&pool, &Filter::default(), None, 100).await
    });
    read.await.unwrap()
}

/// An event that the mailer knows, about an order that there is none of.
pub(crate) fn event(aggregate: Uuid, sequence: i64) -> String {
    let envelope: Value = json!({
        "id": Uuid::now_v7(), "type": "order_paid", "version": 1, "aggregate_id": aggregate,
        "sequence": sequence, "occurred_at": "2026-11-01T00:00:00Z",
        "payload": {"type": "order_paid", "data": {"order_id": aggregate}},
    });
    envelope.to_string()
}
