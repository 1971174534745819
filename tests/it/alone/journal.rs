//! The read models, thrown away and made again of the journal alone. Nobody may change the
//! catalogue meanwhile.

use std::time::{Duration, Instant};

use local::journal::{self, Filter};
use local::postgres::{DATABASE, Node, connect};
use serde_json::json;
use shared::events::sweep;
use shared::state::Sweeper;
use shared::store::last_good::{digest, keys};
use shared::store::outbox;
use sqlx::PgConnection;
use tests::Stack;
use tests::shop::{Shop, VISA, new_key, order_of};
use tests::state::Changed;
use time::OffsetDateTime;
use uuid::Uuid;

use super::nodes::Nodes;
use crate::faults::in_the_end;

async fn database() -> PgConnection {
    let stack = tests::stack::local();
    connect(&stack, Node::Primary, DATABASE).await.unwrap()
}

async fn all_handled(filter: &Filter) {
    in_the_end("every event is handled", async || {
        let waiting = journal::waiting(&mut database().await, filter).await;
        (waiting.unwrap() == 0).then_some(())
    })
    .await;
}

/// Sends again what the tests before this one left in the journal: their faults may have kept a
/// consumer from its note, and a message of one that was killed is held back for minutes.
async fn settle(filter: &Filter) {
    let left = outbox::publish_lost_again(&mut database().await, Duration::ZERO, i64::MAX).await;
    left.unwrap();
    publish().await;
    all_handled(filter).await;
}

/// Publishes, and compares nothing, as the sweeper itself would.
async fn publish() {
    let state = Changed::new().state::<Sweeper>().await;
    while sweep(&state).await.unwrap() > 0 {}
}

async fn read_models(bucket: &str) -> String {
    let (stack, mut database) = (tests::stack::local(), database().await);
    let models = journal::read_models(&stack, bucket, &mut database).await;
    digest(&models.unwrap())
}

/// Throws everything away, as `cargo holdfast events replay --clear` does. How far the sweeper has
/// compared stays, so that it makes nothing of its own accord but the few products that it looks at
/// each minute.
async fn forget(bucket: &str) {
    let (stack, keep) = (tests::stack::local(), [keys::TRENDING, keys::WALK]);
    let removed = journal::clear(&stack, bucket, &mut database().await, &keep).await;
    assert!(removed.unwrap() > 0);
}

/// What is looked at, which no event tells of.
async fn looked_at() -> Vec<(Uuid, f64)> {
    sqlx::query_as("select product_id, heat from product_heat order by product_id")
        .fetch_all(&mut database().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn read_models_are_made_again_of_the_journal_as_they_were() {
    let stack = Stack::alone();
    Nodes::whole_again_after(async |_| {
        let bucket = stack.environment("projector").await["CATALOGUE_BUCKET"].clone();
        let shop = Shop::open().await;
        let (one, other) = (shop.product(1000, 5).await, shop.product(700, 5).await);
        let (key, mut together) = (new_key(), order_of(&one, 1, VISA));
        together["lines"] = json!([{"sku": one, "quantity": 1}, {"sku": other, "quantity": 1}]);
        let bought = shop.customer.post_once("/checkout", &key, &together).await;
        let _ = bought.expect(201);
        let filter = Filter {
            since: OffsetDateTime::UNIX_EPOCH,
            types: Vec::new(),
            queues: ["catalogue", "analytics"].map(str::to_owned).into(),
        };
        settle(&filter).await;
        let untold = journal::untold(&mut database().await, filter.since).await;
        assert_eq!(untold.unwrap(), Vec::<String>::new());
        let (before, heat) = (read_models(&bucket).await, looked_at().await);
        forget(&bucket).await;
        assert_ne!(read_models(&bucket).await, before);
        assert_eq!(looked_at().await, heat);
        let events = replay(&filter).await;
        let began = Instant::now();
        in_the_end("the read models are as they were", async || {
            (read_models(&bucket).await == before).then_some(())
        })
        .await;
        println!(
            "{events} events, as before {:?} after the last",
            began.elapsed()
        );
        // Longer, and the sweeper's comparison could have done it.
        assert!(began.elapsed() < Duration::from_secs(60));
    })
    .await;
}

#[tokio::test]
async fn what_the_events_do_not_tell_of_is_said_before_anything_is_removed() {
    let _ = Stack::alone();
    let shop = Shop::open().await;
    let _ = shop.product(1000, 5).await;
    let tomorrow = OffsetDateTime::now_utc() + time::Duration::DAY;
    let untold = journal::untold(&mut database().await, tomorrow).await;
    let untold = untold.unwrap();
    assert!(untold[0].ends_with("products on sale"), "{untold:?}");
    assert!(
        untold.contains(&"2 of categories and rates".to_owned()),
        "{untold:?}"
    );
}

/// Has all these events handled once more; how many.
async fn replay(filter: &Filter) -> u64 {
    let events = journal::replay(&mut database().await, filter).await;
    let events = events.unwrap();
    assert!(events > 0);
    publish().await;
    all_handled(filter).await;
    events
}
