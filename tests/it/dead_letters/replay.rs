//! Dead letters are sent again in order, at least once however often the replayer is cut off, and
//! are done with when their consumer says so.

use super::{Death, Desk, event};
use aws_sdk_sqs::types::Message;
use dlq_replayer::ReplayError;
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::events::{Failure, handle_batch};
use shared::state::{AppState, DlqReplayer, Mailer};
use shared::store::{database, dead_letters};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::state::{Changed, NOWHERE};
use uuid::Uuid;

async fn consumer(desk: &Desk) -> AppState<Mailer> {
    let changed = Changed::new().on_the_database_of(&desk.state);
    let changed = changed.with("MAIL_QUEUE_URL", &desk.queue.url);
    changed.state().await
}

fn replay_of(message: &Message) -> Uuid {
    let attributes = message.message_attributes.as_ref().unwrap();
    let id = attributes["replay_of"].string_value.as_deref().unwrap();
    id.parse().unwrap()
}

#[tokio::test]
async fn nothing_is_sent_before_its_time_and_it_is_sent_once() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    assert!(desk.dies(Death::of(&body, "defect")).await);
    assert_eq!(dlq_replayer::replay(&desk.state).await.unwrap(), 0);
    assert_eq!(desk.release().await, 1);
    assert_eq!(dlq_replayer::replay(&desk.state).await.unwrap(), 1);
    let letter = desk.one().await;
    assert_eq!(letter.status, DeadLetterStatus::Replaying);
    assert_eq!((letter.replays, letter.attempts), (1, 5));
    // Asked for once more while it is on its way.
    assert_eq!(desk.release().await, 0);
    assert_eq!(dlq_replayer::replay(&desk.state).await.unwrap(), 0);
    let messages = desk.queue.take().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].body.as_deref(), Some(body.as_str()));
    assert_eq!(replay_of(&messages[0]), letter.id);
}

#[tokio::test]
async fn run_says_how_many_somebody_must_decide_about() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        let body = event(Uuid::now_v7(), 1);
        assert!(desk.dies(Death::of(&body, "defect")).await);
    }
    let done = dlq_replayer::run(desk.state.clone()).await.unwrap();
    assert_eq!(done["parked"], 2);
}

#[tokio::test]
async fn without_its_queues_a_run_fails_and_says_so_and_nothing_is_lost() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    assert!(desk.dies(Death::of(&body, "defect")).await);
    assert_eq!(desk.release().await, 1);
    let changed = Changed::new().on_the_database_of(&desk.state);
    let changed = changed.with("MAIL_QUEUE_URL", &desk.queue.url);
    let gone: AppState<DlqReplayer> = changed.at("SQS", NOWHERE).state().await;
    let error = dlq_replayer::replay(&gone).await.unwrap_err();
    assert!(
        matches!(error, ReplayError::QueuesAway { sent: 0 }),
        "{error}"
    );
    assert_eq!(desk.one().await.status, DeadLetterStatus::Waiting);
    let error = dlq_replayer::run(gone).await.unwrap_err();
    assert_eq!(error.to_string(), "failed: replays");
}

#[tokio::test]
async fn events_of_an_aggregate_are_replayed_one_after_the_other_in_their_order() {
    let desk = Desk::open().await;
    let (aggregate, other) = (Uuid::now_v7(), Uuid::now_v7());
    let bodies = [3, 1, 2].map(|sequence| event(aggregate, sequence));
    for body in bodies.iter().chain([&event(other, 1)]) {
        assert!(desk.dies(Death::of(body, "defect")).await);
    }
    assert_eq!(desk.release().await, 4);
    assert_eq!(dlq_replayer::replay(&desk.state).await.unwrap(), 2);
    let mut order = Vec::new();
    for _ in 0..3 {
        for message in desk.queue.take().await {
            let body = message.body.as_deref().unwrap_or_default().to_owned();
            let mut tx = desk.state.database.begin().await.unwrap();
            dead_letters::succeed(&mut tx, replay_of(&message))
                .await
                .unwrap();
            database::commit(tx).await.unwrap();
            order.extend(bodies.iter().position(|known| *known == body));
        }
        dlq_replayer::replay(&desk.state).await.unwrap();
    }
    assert_eq!(order, [1, 2, 0]);
    assert!(
        desk.kept()
            .await
            .iter()
            .all(|letter| letter.status == DeadLetterStatus::Replayed)
    );
}

#[tokio::test]
async fn replayer_that_is_cut_off_ten_times_leaves_nothing_out() {
    let desk = Desk::open().await;
    let bodies: BTreeSet<String> = (0..25).map(|_| event(Uuid::now_v7(), 1)).collect();
    for body in &bodies {
        assert!(desk.dies(Death::of(body, "defect")).await);
    }
    assert_eq!(desk.release().await, 25);
    for round in 0..10 {
        let work = dlq_replayer::replay(&desk.state);
        let cut = Duration::from_millis(40 + 17 * round);
        let _ = tokio::time::timeout(cut, work).await;
    }
    dlq_replayer::replay(&desk.state).await.unwrap();
    let mut sent = BTreeSet::new();
    loop {
        let messages = desk.queue.take().await;
        if messages.is_empty() {
            break;
        }
        sent.extend(messages.into_iter().filter_map(|message| message.body));
    }
    assert_eq!(sent, bodies);
    for letter in desk.kept().await {
        assert_eq!(letter.status, DeadLetterStatus::Replaying, "{letter:?}");
    }
}

#[tokio::test]
async fn consumer_confirms_what_it_processed_and_a_second_receipt_has_no_effect() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    assert!(desk.dies(Death::of(&body, "defect")).await);
    desk.release().await;
    dlq_replayer::replay(&desk.state).await.unwrap();
    let (mailer, messages) = (consumer(&desk).await, desk.queue.take().await);
    for _ in 0..2 {
        let handle = |envelope, event| mailer::handle(mailer.clone(), envelope, event);
        let batch = desk.queue.batch(&messages);
        let response = handle_batch(&mailer, batch, handle).await;
        assert!(response.batch_item_failures.is_empty());
        let letter = desk.one().await;
        assert_eq!(letter.status, DeadLetterStatus::Replayed);
        assert!(letter.resolved_at.is_some() && letter.next_attempt_at.is_none());
    }
    let mut tx = mailer.database.begin().await.unwrap();
    let effects: i64 = sqlx::query_scalar("select count(*) from inbox")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(effects, 1);
    // The message that died first comes once more, an hour late.
    assert!(desk.dies(Death::of(&body, "defect")).await);
    assert_eq!(desk.one().await.status, DeadLetterStatus::Replayed);
}

#[tokio::test]
async fn replay_that_fails_dies_at_once_and_says_why() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    assert!(desk.dies(Death::of(&body, "defect")).await);
    desk.release().await;
    dlq_replayer::replay(&desk.state).await.unwrap();
    let (mailer, messages) = (consumer(&desk).await, desk.queue.take().await);
    let handle = |_, _| async { Err::<(), _>(Failure::again("the sea is rough")) };
    let response = handle_batch(&mailer, desk.queue.batch(&messages), handle).await;
    assert!(response.batch_item_failures.is_empty());
    let dead = desk.queue.take_dead_letters().await;
    let failed = super::keep(&desk.state, desk.queue.dead_batch(&dead)).await;
    assert!(failed.is_empty());
    let letter = desk.one().await;
    assert_eq!(letter.status, DeadLetterStatus::Waiting);
    assert_eq!(letter.error_class, ErrorClass::Transient);
    assert!(
        letter.error.contains("the sea is rough"),
        "{}",
        letter.error
    );
    assert_eq!((letter.attempts, letter.replays), (6, 1));
}
