//! What customers see when environments stand still or die, as Lambda freezes and ends them.

use std::time::{Duration, Instant};

use local::postgres::Node;
use local::process::{self, Signal, environments_of};
use sqlx::Executor;
use tests::shop::{Shop, eventually, new_key, order_of};
use tests::{Fault, Stack};

use super::nodes::Nodes;

const SHOP: [&str; 3] = ["auth", "products", "checkout"];

/// One round of what customers do: each answer's status and how long it took.
async fn visit(shop: &Shop, sku: &str) -> Vec<(u16, Duration)> {
    let mut seen = Vec::new();
    let mut note = |began: Instant, status: u16| seen.push((status, began.elapsed()));
    let began = Instant::now();
    note(began, shop.customer.get("/auth/me").await.status.as_u16());
    let (began, path) = (Instant::now(), format!("/products?q={}", new_key()));
    note(began, shop.customer.get(&path).await.status.as_u16());
    let (began, body) = (Instant::now(), order_of(sku, 1, "pm_card_visa"));
    let order = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await;
    note(began, order.status.as_u16());
    seen
}

/// Everything that an environment had open is gone when it wakes up.
#[tokio::test]
async fn thawed_environments_serve_at_once_though_their_connections_are_gone() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1000, 100).await;
        visit(&shop, &sku).await;
        let frozen: Vec<u32> = SHOP
            .iter()
            .flat_map(|name| environments_of(&tests::stack::local(), name))
            .collect();
        assert!(frozen.len() >= SHOP.len(), "{frozen:?}");
        frozen
            .iter()
            .for_each(|pid| process::send(*pid, Signal::Freeze));
        for node in Node::ALL {
            let mut connection = nodes.connect(node).await;
            let ended = "select pg_terminate_backend(pid) from pg_stat_activity
                where usename in ('auth_a', 'products_a', 'checkout_a')";
            connection.execute(ended).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        frozen
            .iter()
            .for_each(|pid| process::send(*pid, Signal::Thaw));
        let seen = visit(&shop, &sku).await;
        println!("thawed: {seen:?}");
        assert_eq!(
            seen.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
            [200, 200, 201]
        );
        assert!(
            seen.iter().all(|(_, took)| *took < Duration::from_secs(4)),
            "{seen:?}"
        );
    })
    .await;
}

/// The network forgets connections without telling either end.
#[tokio::test]
async fn half_open_connections_do_not_hang_a_request() {
    let stack = Stack::alone();
    let shop = Shop::open().await;
    // One that the last-good catalogue has had for a while.
    let listed = shop
        .customer
        .get("/products?in_stock=true&sort=name")
        .await
        .expect(200)
        .body;
    let sku = listed["items"][0]["variants"][0]["sku"]
        .as_str()
        .unwrap()
        .to_owned();
    visit(&shop, &sku).await;
    let fault = Fault::start(&stack, "database-primary", "half-open").await;
    let during = visit(&shop, &sku).await;
    fault.heal().await;
    println!("half open: {during:?}");
    assert_eq!((during[0].0, during[1].0), (200, 200), "{during:?}");
    assert!(matches!(during[2].0, 201 | 202), "{during:?}");
    assert!(
        during
            .iter()
            .all(|(_, took)| *took < Duration::from_secs(12)),
        "{during:?}"
    );
    let order = async || {
        let seen = visit(&shop, &sku).await;
        (seen[2].0 == 201).then_some(())
    };
    eventually("an order placed at once", order).await;
}
