//! What customers see while database nodes fail, through the deployed functions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use local::postgres::Node;
use sqlx::Executor;
use tests::client::Client;
use tests::shop::{Shop, new_key, order_of};
use uuid::Uuid;

use super::nodes::Nodes;

const VISA: &str = "pm_card_visa";

/// One try to buy.
#[derive(Clone, Copy)]
struct Try {
    order: Option<Uuid>,
    status: u16,
    answered: Instant,
    took: Duration,
}

async fn buy(buyer: &Client, sku: &str) -> Try {
    let began = Instant::now();
    let answer = buyer
        .post_once("/checkout", &new_key(), &order_of(sku, 1, VISA))
        .await;
    let paid = answer.status == 201;
    let order = answer.body["id"].as_str().filter(|_| paid);
    Try {
        order: order.map(|id| id.parse().unwrap()),
        status: answer.status.as_u16(),
        answered: Instant::now(),
        took: began.elapsed(),
    }
}

/// Several customers buy one thing after the other until `work` is done, and a while longer.
async fn while_customers_buy<T>(
    shop: &Shop,
    sku: &str,
    work: impl Future<Output = T>,
) -> (T, Vec<Try>) {
    const AFTERWARDS: Duration = Duration::from_secs(6);
    let closed = AtomicBool::new(false);
    let customer = async || {
        let mut tries = Vec::new();
        while !closed.load(Ordering::Relaxed) {
            tries.push(buy(&shop.customer, sku).await);
        }
        tries
    };
    let close = async {
        let result = work.await;
        tokio::time::sleep(AFTERWARDS).await;
        closed.store(true, Ordering::Relaxed);
        result
    };
    let (result, tries) = tokio::join!(close, join_all((0..4).map(|_| customer())));
    (result, tries.into_iter().flatten().collect())
}

fn paid(tries: &[Try]) -> Vec<Uuid> {
    tries.iter().filter_map(|one| one.order).collect()
}

/// Says what customers saw, and how long after `since` the first one had bought something.
fn tell(what: &str, tries: &[Try], since: Instant) -> Duration {
    let mut statuses = std::collections::BTreeMap::new();
    for one in tries {
        let (count, longest) = statuses.entry(one.status).or_insert((0, Duration::ZERO));
        *count += 1;
        *longest = one.took.max(*longest);
    }
    let first = tries
        .iter()
        .filter(|one| one.status == 201 && one.answered > since)
        .map(|one| one.answered - since)
        .min()
        .expect("nobody could buy afterwards");
    println!("{what}: first order {first:?} after; answers and their longest: {statuses:?}");
    first
}

/// Nothing but success, a promise, or a request to come back, and none of them late.
fn assert_told(tries: &[Try]) {
    for one in tries {
        assert!(matches!(one.status, 201 | 202 | 503), "{}", one.status);
        assert!(one.took < Duration::from_secs(14), "{:?}", one.took);
    }
}

#[tokio::test]
async fn orders_go_on_at_the_promoted_node_and_none_is_lost() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100_000).await;
        let failover = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            nodes.kill(Node::Primary).await;
            (nodes.promote().await.node, Instant::now())
        };
        let ((writer, since), tries) = while_customers_buy(&shop, &sku, failover).await;
        let first = tell("killed and promoted", &tries, since);
        assert!(first < Duration::from_secs(5), "{first:?}");
        assert_told(&tries);
        let paid = paid(&tries);
        assert_eq!(nodes.count(writer, &paid).await, paid.len() as i64);
    })
    .await;
}

#[tokio::test]
async fn woken_old_primary_gets_no_order() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100_000).await;
        let before = buy(&shop.customer, &sku).await;
        assert_eq!(before.status, 201);
        nodes.freeze(Node::Primary).await;
        let promotion = async { (nodes.promote().await.node, Instant::now()) };
        let ((writer, since), mut tries) = while_customers_buy(&shop, &sku, promotion).await;
        let first = tell("frozen and promoted", &tries, since);
        assert!(first < Duration::from_secs(5), "{first:?}");
        nodes.thaw(Node::Primary).await;
        let since = Instant::now();
        let ((), after) = while_customers_buy(&shop, &sku, async {}).await;
        tell("old primary woken", &after, since);
        assert!(after.iter().all(|one| one.status == 201));
        tries.extend(after);
        assert_told(&tries);
        let paid = paid(&tries);
        assert_eq!(nodes.count(writer, &paid).await, paid.len() as i64);
        assert_eq!(nodes.count_of(Node::Primary, &sku).await, 1);
    })
    .await;
}

/// Searches nobody has made before, so that no cache answers: how long each took.
async fn search(shop: &Shop, count: usize) -> Vec<Duration> {
    let anonymous = Client::anonymous(&shop.api_url);
    let mut took = Vec::new();
    for _ in 0..count {
        let path = format!("/products?q={}", Uuid::new_v4().simple());
        let began = Instant::now();
        let _ = anonymous.get(&path).await.expect(200);
        took.push(began.elapsed());
    }
    took
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
async fn lost_replica_is_not_noticed() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100).await;
        let before = median(search(&shop, 30).await);
        nodes.kill(Node::Replica).await;
        let took = search(&shop, 60).await;
        let longest = took.iter().max().copied().unwrap();
        println!(
            "replica killed: {before:?} before, {:?} after, longest {longest:?}",
            median(took)
        );
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        assert_eq!(buy(&shop.customer, &sku).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn frozen_replica_slows_reads_for_a_moment_only() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100).await;
        let before = median(search(&shop, 30).await);
        nodes.freeze(Node::Replica).await;
        let first = search(&shop, 3).await;
        let took = search(&shop, 60).await;
        let longest = first.iter().chain(&took).max().copied().unwrap();
        let after = median(took);
        println!("replica frozen: {before:?} before, {after:?} after, longest {longest:?}");
        assert!(longest < Duration::from_secs(4), "{longest:?}");
        assert!(after < before * 3 + Duration::from_millis(20), "{after:?}");
        assert_eq!(buy(&shop.customer, &sku).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn customer_sees_an_order_that_no_replica_has_yet() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100).await;
        for node in [Node::Replica, Node::Fallback] {
            let mut standby = nodes.connect(node).await;
            standby
                .execute("select pg_wal_replay_pause()")
                .await
                .unwrap();
        }
        let order = buy(&shop.customer, &sku).await.order.unwrap();
        assert_eq!(nodes.count(Node::Replica, &[order]).await, 0);
        let shown = shop
            .customer
            .get(&format!("/orders/{order}"))
            .await
            .expect(200);
        assert_eq!(shown.header("x-degraded"), "");
        for node in [Node::Replica, Node::Fallback] {
            let mut standby = nodes.connect(node).await;
            standby
                .execute("select pg_wal_replay_resume()")
                .await
                .unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn own_orders_are_shown_from_a_replica_while_nobody_writes() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100).await;
        let order = buy(&shop.customer, &sku).await.order.unwrap();
        let path = format!("/orders/{order}");
        for take_away in [true, false] {
            if take_away {
                nodes.freeze(Node::Primary).await;
            } else {
                nodes.kill(Node::Primary).await;
            }
            let began = Instant::now();
            let shown = shop.customer.get(&path).await.expect(200);
            assert_eq!(shown.header("x-degraded"), "database");
            assert_eq!(shown.body["id"], order.to_string());
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?}",
                began.elapsed()
            );
        }
    })
    .await;
}
