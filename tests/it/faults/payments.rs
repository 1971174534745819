//! The payment provider fails while an order is placed.

use super::in_the_end;
use serde_json::{Value, json};
use tests::shop::{Shop, new_key, order_of};
use tests::{Fault, Stack};

/// An order that was placed during a fault.
struct Held {
    kind: &'static str,
    id: String,
    key: String,
    body: Value,
    total: Value,
    answer: Vec<u8>,
}

/// Places an order during a fault. It must be accepted with one of `statuses`.
async fn order_during(stack: &Stack, shop: &Shop, kind: &'static str, statuses: &[&str]) -> Held {
    let sku = shop.product(1000, 1).await;
    let (key, body) = (new_key(), order_of(&sku, 1, "pm_card_visa"));
    let fault = Fault::start(stack, "payments", kind).await;
    let held = shop.customer.post_once("/checkout", &key, &body).await;
    fault.heal().await;
    let held = held.expect(202);
    let status = held.body["status"].as_str().unwrap();
    assert!(statuses.contains(&status), "{kind}: {}", held.body);
    Held {
        kind,
        id: held.body["id"].as_str().unwrap().to_owned(),
        key,
        body,
        total: held.body["totals"]["total"]["amount"].clone(),
        answer: held.bytes,
    }
}

#[tokio::test]
async fn order_is_accepted_and_charged_once_however_the_provider_fails() {
    let stack = Stack::alone();
    let shop = Shop::open().await;
    let pending = ["payment_pending"];
    let unknown = ["payment_unknown"];
    let held = [
        // A connection that was open may be reset after the request had left.
        order_during(
            &stack,
            &shop,
            "refuse",
            &["payment_pending", "payment_unknown"],
        )
        .await,
        order_during(&stack, &shop, "throttle=100", &pending).await,
        order_during(&stack, &shop, "error=100", &unknown).await,
        order_during(&stack, &shop, "hang", &unknown).await,
        order_during(&stack, &shop, "charge-then-drop", &unknown).await,
    ];
    for order in held {
        let path = format!("/orders/{}", order.id);
        in_the_end(order.kind, async || {
            let shown = shop.customer.get(&path).await.expect(200);
            (shown.body["status"] == "paid").then_some(())
        })
        .await;
        let moved = stack.movements(&order.id).await;
        let charges: Vec<&Value> = moved
            .iter()
            .filter(|entry| entry["kind"] == "charge")
            .collect();
        assert_eq!(
            (charges.len(), moved.len()),
            (1, 1),
            "{}: {moved:?}",
            order.kind
        );
        assert_eq!(charges[0]["amount"], order.total, "{}", order.kind);
        let again = shop
            .customer
            .post_once("/checkout", &order.key, &order.body)
            .await;
        assert_eq!(again.expect(202).bytes, order.answer, "{}", order.kind);
    }
}

#[tokio::test]
async fn wallet_needs_no_provider() {
    let stack = Stack::alone();
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let buyer = shop.newcomer().await;
    let me = buyer.get("/auth/me").await.expect(200);
    let credits = format!("/wallets/{}/credits", me.body["id"].as_str().unwrap());
    let credit = json!({"amount": tests::shop::eur(5000), "reason": "welcome"});
    let _ = shop
        .admin
        .post_once(&credits, &new_key(), &credit)
        .await
        .expect(201);
    let _fault = Fault::start(&stack, "payments", "refuse").await;
    let order = order_of(&sku, 1, "wallet");
    let order = buyer
        .post_once("/checkout", &new_key(), &order)
        .await
        .expect(201);
    assert_eq!(order.body["status"], "paid");
}
