//! The journal: what is written down stays, a gap is seen, and what was lost is sent again. That
//! read models come out of it as they were is in `alone::journal`.

use serde_json::json;
use shared::context;
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::domain::events::{Envelope, Event, Place};
use shared::domain::trace::TraceContext;
use shared::events::{keep_batch, publish, send_again, sweep};
use shared::resilience::policies::PUBLISH_PAUSE;
use shared::state::{AppState, DlqReplayer, Ops, Sweeper};
use shared::store::dead_letters::{self, Filter, Shown};
use shared::store::{database, outbox};
use sqlx::PgPool;
use tests::shop::eventually;
use tests::state::Changed;
use tests::{TestDatabase, TestQueue};
use time::OffsetDateTime;
use uuid::Uuid;

/// Events about one order, published to a queue that nobody listens to.
struct Journal {
    database: TestDatabase,
    state: AppState<Sweeper>,
    queue: TestQueue,
    order_id: Uuid,
}

impl Journal {
    async fn with(events: usize) -> Self {
        let (database, queue) = (TestDatabase::create().await, TestQueue::create().await);
        let own = tests::state_on::<Sweeper>(&database).await;
        let state = Changed::new()
            .on_the_database_of(&own)
            .with("ORDERS_QUEUE_URL", &queue.url)
            .state::<Sweeper>()
            .await;
        let journal = Self {
            database,
            state,
            queue,
            order_id: Uuid::now_v7(),
        };
        for _ in 0..events {
            journal.add().await;
        }
        journal.publish().await;
        assert_eq!(journal.arrived().await, events);
        journal
    }

    async fn add(&self) {
        let order_id = self.order_id;
        let mut tx = self.state.database.begin().await.unwrap();
        let due = Event::PaymentDue { order_id };
        outbox::add(&mut tx, order_id, &due).await.unwrap();
        database::commit(tx).await.unwrap();
    }

    /// As often as it takes: a slow machine does not publish all in the time of a request.
    async fn publish(&self) {
        eventually("all is published", async || {
            publish(&self.state, self.order_id).await;
            let left = "select count(*) from outbox where published_at is null";
            let left: i64 = sqlx::query_scalar(left)
                .fetch_one(self.pool())
                .await
                .unwrap();
            (left == 0).then_some(())
        })
        .await;
    }

    fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    async fn arrived(&self) -> usize {
        self.queue.take().await.len()
    }

    /// Has the one that arrived die; the row that it is kept in.
    async fn dies(&self) -> Shown {
        let messages = self.queue.take().await;
        assert_eq!(messages.len(), 1);
        let replayer = self.replayer().await;
        let keep = |letter| dlq_replayer::keep(replayer.clone(), letter);
        let kept = keep_batch(self.queue.dead_batch(&messages), keep).await;
        assert!(kept.batch_item_failures.is_empty());
        self.letter().await
    }

    async fn replayer(&self) -> AppState<DlqReplayer> {
        let changed = Changed::new().on_the_database_of(&self.state);
        let changed = changed.with("ORDERS_QUEUE_URL", &self.queue.url);
        changed.state().await
    }

    /// The only one that is kept.
    async fn letter(&self) -> Shown {
        let all = Filter::default();
        let read = dead_letters::page(self.pool(), &all, None, 10);
        let mut letters = read.await.unwrap();
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters.remove(0)
    }

    async fn place(&self, sequence: i64) -> Place {
        let event_id = sqlx::query_scalar(
            "select event_id from outbox where aggregate_id = $1 and sequence = $2",
        );
        let event_id = event_id.bind(self.order_id).bind(sequence);
        Place {
            event_id: event_id.fetch_one(self.pool()).await.unwrap(),
            queue: "orders".to_owned(),
            aggregate_id: self.order_id,
            sequence,
        }
    }

    /// Handles an event; the numbers of those that should have been before it.
    async fn handle(&self, sequence: i64) -> Vec<i64> {
        let places = [self.place(sequence).await];
        let mut tx = self.state.database.begin().await.unwrap();
        outbox::mark_consumed(&mut tx, &places).await.unwrap();
        let missing = outbox::missing_before(&mut tx, &places).await.unwrap();
        database::commit(tx).await.unwrap();
        let mut missing: Vec<i64> = missing.iter().map(|gap| gap.sequence).collect();
        missing.sort_unstable();
        missing
    }

    async fn discard(&self, letter: Uuid) {
        let changed = Changed::new().on_the_database_of(&self.state);
        let ops: AppState<Ops> = changed.state().await;
        let mut tx = ops.database.begin().await.unwrap();
        let decision = (Uuid::now_v7(), "about no order");
        dead_letters::discard(&mut tx, letter, decision)
            .await
            .unwrap();
        outbox::give_up(&mut tx, letter).await.unwrap();
        database::commit(tx).await.unwrap();
    }

    /// Has all events handled once more; how many, and how many are waited for then.
    async fn replay(&self) -> (u64, i64) {
        let all = local::journal::Filter {
            since: OffsetDateTime::UNIX_EPOCH,
            types: Vec::new(),
            queues: vec!["orders".to_owned()],
        };
        let mut owner = self.pool().acquire().await.unwrap();
        let replayed = local::journal::replay(&mut owner, &all).await.unwrap();
        let waiting = local::journal::waiting(&mut owner, &all).await.unwrap();
        (replayed, waiting)
    }

    async fn as_if_hours_ago(&self) {
        sqlx::query("update outbox set published_at = published_at - interval '3 hours'")
            .execute(self.pool())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn consumer_sees_which_events_are_missing_and_that_they_came_late() {
    let journal = Journal::with(4).await;
    assert!(journal.handle(1).await.is_empty());
    assert_eq!(journal.handle(4).await, [2, 3]);
    assert_eq!(journal.handle(3).await, [2]);
    assert!(journal.handle(2).await.is_empty());
    assert!(journal.handle(4).await.is_empty());
}

#[tokio::test]
async fn event_that_is_written_while_another_is_published_waits_for_no_sweep() {
    let journal = Journal::with(0).await;
    // Several times, because a request does not wait for long and the machine may be busy.
    eventually("it is published by its own request", async || {
        let mut other = journal.pool().begin().await.unwrap();
        let claim = outbox::claim_aggregate(&mut other, journal.order_id);
        assert!(claim.await.unwrap());
        journal.add().await;
        let ends = async {
            tokio::time::sleep(PUBLISH_PAUSE * 2).await;
            other.commit().await.unwrap();
        };
        tokio::join!(publish(&journal.state, journal.order_id), ends);
        (journal.arrived().await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_never_handled_is_sent_again_once() {
    let journal = Journal::with(3).await;
    journal.handle(1).await;
    journal.handle(3).await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 0);
    journal.as_if_hours_ago().await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 1);
    journal.publish().await;
    assert_eq!(journal.arrived().await, 1);
    journal.as_if_hours_ago().await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 0);
    assert_eq!(sweep(&journal.state).await.unwrap(), 0);
}

#[tokio::test]
async fn dead_letter_is_sent_again_once_and_stays_the_same() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let first = journal.dies().await;
    journal.as_if_hours_ago().await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 1);
    journal.publish().await;
    let again = journal.dies().await;
    assert_eq!((first.id, first.event_id), (again.id, again.event_id));
    assert_eq!(first.last_failed_at, again.last_failed_at);
    assert_eq!(again.error_class, ErrorClass::NoAnswer);
}

#[tokio::test]
async fn dead_letter_is_done_with_when_the_copy_of_the_journal_came_through() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let parked = journal.dies().await;
    let replayer = journal.replayer().await;
    // Sent again is not handled.
    journal.as_if_hours_ago().await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 1);
    journal.publish().await;
    let done = dlq_replayer::run(replayer.clone()).await.unwrap();
    assert_eq!(done["dead_letters"], 0);
    assert_eq!(journal.letter().await.status, parked.status);
    assert_eq!(journal.arrived().await, 1);
    journal.handle(1).await;
    let done = dlq_replayer::run(replayer.clone()).await.unwrap();
    assert_eq!(done, json!({"dead_letters": 1, "replays": 0, "parked": 0}));
    let letter = journal.letter().await;
    assert_eq!(letter.status, DeadLetterStatus::Replayed);
    let reason = "handled when it was sent again";
    assert_eq!(letter.reason.as_deref(), Some(reason));
    assert!(letter.resolved_at.is_some() && letter.next_attempt_at.is_none());
    let done = dlq_replayer::run(replayer).await.unwrap();
    assert_eq!(done["dead_letters"], 0);
    assert_eq!(journal.arrived().await, 0);
}

#[tokio::test]
async fn dead_letter_that_died_after_its_event_was_handled_waits_for_somebody() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    journal.handle(1).await;
    let parked = journal.dies().await;
    let done = dlq_replayer::run(journal.replayer().await).await.unwrap();
    assert_eq!(done["dead_letters"], 0);
    assert_eq!(journal.letter().await.status, parked.status);
}

#[tokio::test]
async fn message_that_only_has_the_id_of_a_handled_event_is_not_done_with() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let parked = journal.dies().await;
    // The same event id, and another place in the journal.
    sqlx::query("update failed_events set sequence = 7")
        .execute(journal.pool())
        .await
        .unwrap();
    journal.handle(1).await;
    let done = dlq_replayer::run(journal.replayer().await).await.unwrap();
    assert_eq!(done["dead_letters"], 0);
    assert_eq!(journal.letter().await.status, parked.status);
}

#[tokio::test]
async fn discarded_dead_letter_is_not_sent_again() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let letter = journal.dies().await;
    journal.discard(letter.id).await;
    journal.as_if_hours_ago().await;
    assert_eq!(send_again(&journal.state).await.unwrap(), 0);
    // Nor is it missed by those that come after it.
    journal.add().await;
    assert!(journal.handle(2).await.is_empty());
}

#[tokio::test]
async fn what_was_discarded_stays_so_when_events_are_replayed() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let letter = journal.dies().await;
    journal.discard(letter.id).await;
    assert_eq!(journal.replay().await, (0, 0));
    journal.add().await;
    journal.publish().await;
    assert_eq!(journal.arrived().await, 1);
    journal.handle(2).await;
    assert_eq!(journal.replay().await, (1, 1));
    journal.publish().await;
    assert_eq!(journal.arrived().await, 1);
}

#[tokio::test]
async fn replay_is_not_waited_for_where_somebody_must_decide() {
    let journal = Journal::with(0).await;
    journal.add().await;
    journal.publish().await;
    let parked = journal.dies().await;
    assert_eq!(parked.status, DeadLetterStatus::Parked);
    assert_eq!(journal.replay().await, (1, 0));
}

#[tokio::test]
async fn what_happened_can_be_neither_changed_nor_removed() {
    let journal = Journal::with(1).await;
    for statement in [
        "delete from outbox",
        "update outbox set payload = '{}'",
        "update outbox set sequence = 7",
    ] {
        let refused = sqlx::query(statement).execute(journal.pool()).await;
        let refused = refused.unwrap_err();
        let code = refused.as_database_error().unwrap().code().unwrap();
        assert_eq!(code, "42501", "{statement}");
    }
}

#[tokio::test]
async fn event_is_sent_with_the_trace_that_it_happened_in() {
    let journal = Journal::with(0).await;
    let trace = TraceContext::begin();
    context::traced(trace.clone(), journal.add()).await;
    journal.publish().await;
    let messages = journal.queue.take().await;
    let body = messages[0].body.as_deref().unwrap();
    let envelope = Envelope::parse(body).unwrap();
    assert_eq!(envelope.trace(), trace);
    assert_eq!(envelope.place().unwrap().queue, "orders");
}
