//! Mails through the handler, with a database of their own.

use aws_lambda_events::event::sqs::SqsEvent;
use shared::events::handle_batch;
use shared::state::{AppState, Mailer};

fn sample(name: &str) -> SqsEvent {
    let path = format!(
        "{}/../events/mailer-{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The ids of the messages that go back.
async fn failures(state: &AppState<Mailer>, batch: SqsEvent) -> Vec<String> {
    let handle = |envelope, event| mailer::handle(state.clone(), envelope, event);
    let response = handle_batch(state, batch, handle).await;
    let failures = response.batch_item_failures.into_iter();
    failures.map(|failure| failure.item_identifier).collect()
}

async fn effects(state: &AppState<Mailer>) -> i64 {
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query_scalar("select count(*) from inbox where consumer = 'mailer'")
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn poison_is_set_aside_and_its_neighbour_is_processed() {
    let state = tests::state::<Mailer>().await;
    let failed = failures(&state, sample("poison")).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(effects(&state).await, 1);
}

#[tokio::test]
async fn event_that_comes_twice_has_one_effect() {
    let state = tests::state::<Mailer>().await;
    for _ in 0..2 {
        assert!(failures(&state, sample("order-paid")).await.is_empty());
    }
    assert_eq!(effects(&state).await, 1);
}

#[tokio::test]
async fn every_sample_event_is_processed() {
    let state = tests::state::<Mailer>().await;
    for name in [
        "account-registered",
        "verification-requested",
        "address-taken",
        "password-reset-requested",
        "password-changed",
        "second-factor-set",
        "order-paid",
        "order-payment-failed",
        "order-cancelled",
        "order-rejected",
        "order-needs-authentication",
        "order-fulfilled",
    ] {
        assert!(failures(&state, sample(name)).await.is_empty(), "{name}");
    }
}
