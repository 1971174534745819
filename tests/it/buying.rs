//! Whole flows of buying, through the deployed functions: money, stock, repetition.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::client::Client;
use tests::shop::{Shop, VISA, eur, eventually, new_key, order_of};

fn status_of(body: &Value) -> &str {
    body["status"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn customer_fills_a_cart_and_pays() {
    let shop = Shop::open().await;
    let sku = shop.product(1999, 5).await;
    let cart = shop.customer.post("/carts", json!({})).await.expect(201);
    let id = cart.body["id"].as_str().unwrap();
    let cart = shop
        .customer
        .put(&format!("/carts/{id}/lines/{sku}"), json!({"quantity": 2}))
        .await
        .expect(200);
    assert_eq!(cart.body["totals"]["subtotal"], eur(3998));
    let mut body = order_of(&sku, 1, VISA);
    body.as_object_mut().unwrap().remove("lines");
    body["cart_id"] = json!(id);
    body["expected_total"] = cart.body["totals"]["total"].clone();
    let order = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
    assert_eq!(status_of(&order.body), "paid");
    assert_eq!(order.body["payment"]["status"], "captured");
    assert_eq!(order.body["payment"]["last4"], "4242");
    assert_eq!(order.body["totals"]["total"], cart.body["totals"]["total"]);
    let shown = shop
        .customer
        .get(&format!("/orders/{}", order.body["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(shown.body, order.body);
    let _ = shop.customer.get(&format!("/carts/{id}")).await.expect(404);
}

#[tokio::test]
async fn cart_from_before_the_sign_in_is_merged_once() {
    let shop = Shop::open().await;
    let anyone = Client::anonymous(&shop.api_url);
    let (sku, other) = (shop.product(1000, 9).await, shop.product(500, 9).await);
    let filled = async |client: &Client, lines: &[(&str, i64)]| {
        let cart = client.post("/carts", json!({})).await.expect(201);
        let path = format!("/carts/{}", cart.body["id"].as_str().unwrap());
        for (sku, quantity) in lines {
            let line = format!("{path}/lines/{sku}");
            let _ = client
                .put(&line, json!({"quantity": quantity}))
                .await
                .expect(200);
        }
        path
    };
    let before = filled(&anyone, &[(&sku, 1), (&other, 2)]).await;
    let own = filled(&shop.customer, &[(&sku, 3)]).await;
    let into = json!({"into": own.trim_start_matches("/carts/")});
    // A client that lost the answer asks again.
    for _ in 0..2 {
        let merge = format!("{before}/merge");
        let merged = shop.customer.post(&merge, into.clone()).await.expect(200);
        let lines = merged.body["lines"].as_array().unwrap();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (&line["sku"], &line["quantity"]))
            .collect();
        assert_eq!(
            lines,
            [(&json!(sku), &json!(4)), (&json!(other), &json!(2))]
        );
    }
    let _ = anyone.get(&before).await.expect(404);
}

#[tokio::test]
async fn same_key_twenty_times_at_once_is_one_order() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 50).await;
    let (key, body) = (new_key(), order_of(&sku, 1, VISA));
    let answers =
        join_all((0..20).map(|_| shop.customer.post_once("/checkout", &key, &body))).await;
    let placed: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .collect();
    assert!(!placed.is_empty());
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 || answer.problem() == "in-progress")
    );
    assert!(placed.iter().all(|answer| answer.bytes == placed[0].bytes));
    assert_eq!(
        placed
            .iter()
            .filter(|answer| answer.header("idempotent-replayed").is_empty())
            .count(),
        1
    );
    let again = shop
        .customer
        .post_once("/checkout", &key, &body)
        .await
        .expect(201);
    assert_eq!(
        (again.bytes.as_slice(), again.header("idempotent-replayed")),
        (placed[0].bytes.as_slice(), "true")
    );
    let other = order_of(&sku, 2, VISA);
    let reused = shop
        .customer
        .post_once("/checkout", &key, &other)
        .await
        .expect(422);
    assert_eq!(reused.problem(), "idempotency-key-reused");
}

#[tokio::test]
async fn fifty_buyers_of_five_units_buy_five() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let body = order_of(&sku, 1, VISA);
    // On a busy machine some are told to come back, and do, with the same key.
    let buy = async || {
        let key = new_key();
        eventually("an order or a refusal", async || {
            let answer = shop.customer.post_once("/checkout", &key, &body).await;
            (answer.status != 503).then_some(answer)
        })
        .await
    };
    let answers = join_all((0..50).map(|_| buy())).await;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status.as_u16() == status)
            .count()
    };
    assert_eq!(
        (count(201), count(409)),
        (5, 45),
        "{:?}",
        answers.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    let refused = answers.iter().find(|answer| answer.status == 409).unwrap();
    assert_eq!(refused.problem(), "insufficient-stock");
    assert_eq!(
        refused.body["shortages"][0],
        json!({"sku": sku, "requested": 1, "available": 0})
    );
}

#[tokio::test]
async fn lines_of_one_sku_are_summed_before_stock_is_looked_at() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 3).await;
    let mut body = order_of(&sku, 2, VISA);
    body["lines"] = json!([{"sku": sku, "quantity": 2}, {"sku": sku, "quantity": 2}]);
    let refused = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(409);
    assert_eq!(refused.body["shortages"][0]["requested"], 4);
    body["lines"] = json!([{"sku": sku, "quantity": 1}, {"sku": sku, "quantity": 2}]);
    let order = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
    assert_eq!(order.body["lines"][0]["quantity"], 3);
}

#[tokio::test]
async fn total_off_by_one_is_refused_with_the_new_total() {
    let shop = Shop::open().await;
    let sku = shop.product(6000, 5).await;
    let mut body = order_of(&sku, 1, VISA);
    body["expected_total"] = eur(5999);
    let refused = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(409);
    assert_eq!(
        (refused.problem(), &refused.body["total"]),
        ("total-changed", &eur(6000))
    );
    body["expected_total"] = eur(6000);
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
}

#[tokio::test]
async fn declined_card_releases_stock_and_is_answered_again() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let (key, body) = (new_key(), order_of(&sku, 1, "pm_card_visa_chargeDeclined"));
    let declined = shop
        .customer
        .post_once("/checkout", &key, &body)
        .await
        .expect(402);
    assert_eq!(declined.problem(), "payment-declined");
    let again = shop
        .customer
        .post_once("/checkout", &key, &body)
        .await
        .expect(402);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.bytes, declined.bytes);
    let _ = shop.buy_one(&sku).await;
}

#[tokio::test]
async fn order_is_sent_in_parts_and_arrives() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let order = shop
        .customer
        .post_once("/checkout", &new_key(), &order_of(&sku, 3, VISA))
        .await
        .expect(201);
    let path = format!("/orders/{}", order.body["id"].as_str().unwrap());
    let shipment = |quantity: i64| json!({"carrier": "DHL", "tracking_number": "42", "lines": [{"sku": sku, "quantity": quantity}]});
    let send = format!("{path}/fulfilments");
    let part = shop
        .seller
        .post_once(&send, &new_key(), &shipment(2))
        .await
        .expect(201);
    assert_eq!(status_of(&part.body), "paid");
    let _ = shop
        .seller
        .post_once(&send, &new_key(), &shipment(2))
        .await
        .expect(409);
    let _ = shop
        .customer
        .post(&format!("{path}/cancel"), json!({}))
        .await
        .expect(409);
    let _ = shop
        .seller
        .post(&format!("{path}/delivered"), json!({}))
        .await
        .expect(409);
    let whole = shop
        .seller
        .post_once(&send, &new_key(), &shipment(1))
        .await
        .expect(201);
    assert_eq!(status_of(&whole.body), "fulfilled");
    let arrived = shop
        .seller
        .post(&format!("{path}/delivered"), json!({}))
        .await
        .expect(200);
    assert_eq!(status_of(&arrived.body), "delivered");
}

#[tokio::test]
async fn what_belongs_to_others_is_absent() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let order = shop.buy_one(&sku).await;
    let card = shop
        .customer
        .post("/payment-methods", json!({"token": VISA}))
        .await
        .expect(201);
    let cart = shop.customer.post("/carts", json!({})).await.expect(201);
    let stranger = shop.newcomer().await;
    let order_path = format!("/orders/{}", order.body["id"].as_str().unwrap());
    let _ = stranger.get(&order_path).await.expect(404);
    let _ = stranger
        .post(&format!("{order_path}/cancel"), json!({}))
        .await
        .expect(404);
    let cart_id = cart.body["id"].as_str().unwrap();
    let _ = stranger.get(&format!("/carts/{cart_id}")).await.expect(404);
    let mut body = order_of(&sku, 1, VISA);
    body["payment"] = json!({"method": "card", "payment_method_id": card.body["id"]});
    let _ = stranger
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(404);
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
}

#[tokio::test]
async fn wrong_input_is_refused_by_name() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let good = order_of(&sku, 1, VISA);
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (body, pointer) in [
        (with("/lines/0/quantity", json!(0)), "/lines/0/quantity"),
        (with("/lines/0/quantity", json!(-1)), "/lines/0/quantity"),
        (
            with("/lines/0/quantity", json!(1_000_000_000_000_i64)),
            "/lines/0/quantity",
        ),
        (with("/lines/0/quantity", json!(1.5)), "/lines/0/quantity"),
        (with("/lines/0/sku", json!("no such sku")), "/lines/0/sku"),
        (with("/lines", json!([])), "/lines"),
        (
            with("/shipping_address/country", json!("Germany")),
            "/shipping_address/country",
        ),
        (
            with("/shipping_address/city", json!(" ")),
            "/shipping_address/city",
        ),
        (
            with("/payment/token", json!("4242424242424242")),
            "/payment/token",
        ),
        (
            with("/shipping_address/name", json!("4242 4242 4242 4242")),
            "/shipping_address/name",
        ),
    ] {
        let refused = shop
            .customer
            .post_once("/checkout", &new_key(), &body)
            .await
            .expect(422);
        assert_eq!(
            refused.body["errors"][0]["pointer"], pointer,
            "{}",
            refused.body
        );
    }
    let mut other_currency = good.clone();
    other_currency["expected_total"] = json!({"amount": 1000, "currency": "XXX"});
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &other_currency)
        .await
        .expect(422);
    let _ = shop
        .customer
        .post("/checkout", good.clone())
        .await
        .expect(400);
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &json!([good]))
        .await
        .expect(422);
}
