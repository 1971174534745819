//! What is kept of a message that died, however and how often it did.

use super::{Death, Desk, event, keep, kept};
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::state::DlqReplayer;
use std::collections::BTreeSet;
use tests::state::Changed;
use uuid::Uuid;

#[tokio::test]
async fn every_sample_is_kept_once_with_its_reason() {
    let state = tests::state::<DlqReplayer>().await;
    for _ in 0..2 {
        for name in ["orders", "mail"] {
            let sample = crate::tidy::read(&format!("events/dlq-replayer-{name}.json"));
            let batch = serde_json::from_str(&sample).unwrap();
            assert_eq!(keep(&state, batch).await, Vec::<String>::new(), "{name}");
        }
    }
    let kept = kept(&state).await;
    assert_eq!(kept.len(), 6);
    let waiting: Vec<_> = kept
        .iter()
        .filter(|letter| letter.status == DeadLetterStatus::Waiting)
        .collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].type_.as_deref(), Some("payment_due"));
    assert_eq!(waiting[0].attempts, 20);
    assert!(waiting[0].next_attempt_at.is_some());
    let of_no_answer = kept
        .iter()
        .filter(|letter| letter.error_class == ErrorClass::NoAnswer);
    assert_eq!(of_no_answer.count(), 1);
    assert!(kept.iter().all(|letter| !letter.error.is_empty()));
}

#[tokio::test]
async fn same_message_is_one_row_and_counted_once_for_each_death() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    let first = Death::of(&body, "transient");
    // At once, later, and after it died again.
    let second = Death::of(&body, "defect").replayed("2", 20);
    for death in [first, first, second, first, second] {
        assert!(desk.dies(death).await);
    }
    let letter = desk.one().await;
    assert_eq!(letter.attempts, 10);
    assert_eq!(letter.error_class, ErrorClass::Defect);
    assert_eq!(letter.status, DeadLetterStatus::Parked);
    assert_eq!(letter.error, "it broke for ***");
    assert_eq!(letter.queue, "mail");
}

#[tokio::test]
async fn copy_that_the_journal_sent_dies_the_same_death() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    let copy = Death {
        message_id: "2",
        at: 20,
        ..Death::of(&body, "defect")
    };
    assert!(desk.dies(Death::of(&body, "transient")).await);
    let first = desk.one().await;
    assert!(desk.dies(copy).await);
    let letter = desk.one().await;
    assert_eq!(
        (letter.attempts, letter.error_class),
        (5, first.error_class)
    );
    assert_eq!(letter.next_attempt_at, first.next_attempt_at);
    // Nor does it undo what somebody asked for, whether that is sent yet or not.
    assert_eq!(desk.release().await, 1);
    assert!(desk.dies(copy).await);
    assert_eq!(desk.one().await.status, DeadLetterStatus::Waiting);
    assert_eq!(dlq_replayer::replay(&desk.state).await.unwrap(), 1);
    assert!(desk.dies(copy).await);
    assert_eq!(desk.one().await.status, DeadLetterStatus::Replaying);
}

#[tokio::test]
async fn event_id_with_another_body_is_parked_and_changes_nothing_of_the_first() {
    let desk = Desk::open().await;
    let body = event(Uuid::now_v7(), 1);
    let other = body.replace("order_paid", "order_cancelled");
    let again = Death::of(&body, "transient").replayed("3", 30);
    assert!(desk.dies(Death::of(&body, "transient")).await);
    let reused = Death {
        message_id: "2",
        ..Death::of(&other, "transient")
    };
    assert!(desk.dies(reused).await);
    assert!(desk.dies(again).await);
    let mut kept = desk.kept().await;
    kept.sort_by_key(|letter| letter.status);
    let [first, reused] = kept.as_slice() else {
        panic!("{kept:?}")
    };
    assert_eq!(first.event_id, reused.event_id);
    assert_eq!(
        (first.status, first.attempts),
        (DeadLetterStatus::Waiting, 10)
    );
    assert_eq!(reused.status, DeadLetterStatus::Parked);
    assert_eq!(reused.error_class, ErrorClass::EventIdReused);
}

#[tokio::test]
async fn anything_can_be_kept() {
    let desk = Desk::open().await;
    let large = format!("{{\"padding\": \"{}\"}}", "x".repeat(1_000_000));
    let bodies = [
        large.as_str(),
        r#"{"id": "\ud800", "type": "order_paid"}"#,
        r#"{"type": "a\u0000b", "id": 7}"#,
        "a\0b",
        "",
        "[[[[",
    ];
    for body in bodies {
        assert!(desk.dies(Death::of(body, "unknown_event")).await, "{body}");
    }
    let kept = desk.kept().await;
    assert_eq!(kept.len(), bodies.len());
    for letter in kept {
        assert_eq!(letter.status, DeadLetterStatus::Parked);
        assert!(letter.payload_excerpt.chars().count() <= 200);
    }
    let mut tx = desk.state.database.begin().await.unwrap();
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("select body from failed_events")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    let stored: BTreeSet<&[u8]> = stored.iter().map(Vec::as_slice).collect();
    assert_eq!(stored, BTreeSet::from(bodies.map(str::as_bytes)));
}

#[tokio::test]
async fn what_cannot_be_stored_stays_in_its_queue() {
    let desk = Desk::open().await;
    let changed = Changed::new().with("DB_HOSTS", "127.0.0.1:9");
    let state = changed
        .with("MAIL_QUEUE_URL", &desk.queue.url)
        .state()
        .await;
    let away = Desk {
        state,
        queue: desk.queue.clone(),
    };
    let body = event(Uuid::now_v7(), 1);
    assert!(!away.dies(Death::of(&body, "defect")).await);
    let foreign = Death::of(&body, "defect").batch("arn:aws:sqs:eu-central-1:1:other-dlq");
    assert_eq!(keep(&desk.state, foreign).await, ["1"]);
    assert!(desk.kept().await.is_empty());
}
