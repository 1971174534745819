//! Workers die in the middle of what they do.

use super::in_the_end;
use local::process::{self, Signal, environments_of};
use serde_json::Value;
use std::time::{Duration, Instant};
use tests::shop::{Shop, new_key, order_of};
use tests::{Fault, Stack};

/// The provider takes its time, so that the worker is in the middle of things when it dies.
#[tokio::test]
async fn order_is_paid_once_however_often_its_worker_dies() {
    let stack = Stack::alone();
    let local = tests::stack::local();
    let shop = Shop::open().await;
    let sku = shop.product(1000, 100).await;
    let mut orders = Vec::new();
    let fault = Fault::start(&stack, "payments", "error=100").await;
    for _ in 0..5 {
        let body = order_of(&sku, 1, "pm_card_visa");
        let order = shop
            .customer
            .post_once("/checkout", &new_key(), &body)
            .await
            .expect(202);
        orders.push(order.body["id"].as_str().unwrap().to_owned());
    }
    fault.heal().await;
    let slow = Fault::start(&stack, "payments", "latency=200").await;
    let mut killed = 0;
    let began = Instant::now();
    while killed < 20 && began.elapsed() < Duration::from_secs(20) {
        for pid in environments_of(&local, "order-worker") {
            process::send(pid, Signal::Kill);
            killed += 1;
        }
        tokio::time::sleep(Duration::from_millis(170)).await;
    }
    slow.heal().await;
    assert!(killed > 0);
    for id in &orders {
        let path = format!("/orders/{id}");
        in_the_end(id, async || {
            let shown = shop.customer.get(&path).await.expect(200);
            (shown.body["status"] == "paid").then_some(())
        })
        .await;
        let moved = stack.movements(id).await;
        let kinds: Vec<&Value> = moved.iter().map(|entry| &entry["kind"]).collect();
        assert_eq!(kinds, ["charge"], "{moved:?}");
    }
}
