//! Orders while no database node answers: accepted, stored, and finished afterwards, once.

use serde_json::{Value, json};
use shared::state::{OrderWorker, Sweeper};
use tests::client::Answer;
use tests::outage::{Buyer, Outage, charges, elsewhere, nudge, path};
use tests::shop::{eur, eventually, new_key, order_of};

const VISA: &str = "pm_card_visa";

fn statuses(order: &Value) -> Vec<&str> {
    let history = order["history"].as_array().unwrap().iter();
    history
        .map(|entry| entry["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn order_is_accepted_without_the_database_and_finished_when_it_is_back() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let (away, key) = (outage.client(&buyer.client), new_key());
    let body = order_of(&buyer.sku, 2, VISA);
    let first = away.post_once("/checkout", &key, &body).await.expect(202);
    assert_eq!(
        (first.header("x-degraded"), &first.body["status"]),
        ("database", &json!("received"))
    );
    let again = away.post_once("/checkout", &key, &body).await.expect(202);
    assert_eq!(
        (again.bytes, again.headers["idempotent-replayed"].as_bytes()),
        (first.bytes, &b"true"[..])
    );
    let other = order_of(&buyer.sku, 3, VISA);
    assert_eq!(
        away.post_once("/checkout", &key, &other)
            .await
            .expect(422)
            .problem(),
        "idempotency-key-reused"
    );
    let order = first.body;
    for client in [&away, &outage.client(&outage.shop.admin)] {
        let shown = client.get(&path(&order)).await.expect(200);
        assert_eq!(
            (&shown.body, shown.header("x-degraded")),
            (&order, "database")
        );
        let list = client.get("/orders").await.expect(200);
        assert_eq!(
            (&list.body["items"], list.header("x-degraded")),
            (&json!([order]), "database")
        );
    }
    let stranger = outage.client(&outage.shop.customer);
    let _ = stranger.get(&path(&order)).await.expect(503);
    let paid = buyer.finish(&outage, &order).await;
    assert_eq!(statuses(&paid), ["received", "payment_pending", "paid"]);
    for part in ["id", "totals", "created_at", "lines"] {
        assert_eq!(paid[part], order[part], "{part}");
    }
    assert_eq!(paid["history"][0]["at"], order["created_at"]);
    assert_eq!(
        charges(&order).await,
        [order["totals"]["total"]["amount"].as_i64().unwrap()]
    );
    buyer.is_told("Your order is confirmed").await;
    let repeated = buyer
        .client
        .post_once("/checkout", &key, &body)
        .await
        .expect(201);
    assert_eq!(
        (&repeated.body["id"], &repeated.body["status"]),
        (&order["id"], &json!("paid"))
    );
    let _ = buyer
        .client
        .post_once("/checkout", &key, &other)
        .await
        .expect(422);
    assert_eq!(charges(&order).await.len(), 1);
}

#[tokio::test]
async fn order_that_cannot_be_filled_is_rejected_with_a_mail() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 1, 0).await;
    let (away, key) = (outage.client(&buyer.client), new_key());
    let body = order_of(&buyer.sku, 2, VISA);
    let order = away
        .post_once("/checkout", &key, &body)
        .await
        .expect(202)
        .body;
    let rejected = buyer.finish(&outage, &order).await;
    assert_eq!(statuses(&rejected), ["received", "rejected"]);
    assert_eq!(rejected["totals"], order["totals"]);
    assert!(charges(&order).await.is_empty());
    buyer.is_told("could not be filled").await;
    let repeated = buyer
        .client
        .post_once("/checkout", &key, &body)
        .await
        .expect(409);
    assert_eq!(repeated.body["order_id"], order["id"]);
    // What was short is still there for somebody else.
    let rest = order_of(&buyer.sku, 1, VISA);
    let _ = buyer
        .client
        .post_once("/checkout", &new_key(), &rest)
        .await
        .expect(201);
}

#[tokio::test]
async fn agreed_total_is_charged_whatever_the_price_is_now() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 100).await;
    let order = buyer.order(&outage, 2, VISA).await;
    assert_eq!(order["totals"]["subtotal"], eur(1800));
    let paid = buyer.finish(&outage, &order).await;
    assert_eq!(
        (&paid["status"], &paid["totals"]),
        (&json!("paid"), &order["totals"])
    );
    assert_eq!(
        charges(&order).await,
        [order["totals"]["total"]["amount"].as_i64().unwrap()]
    );
}

#[tokio::test]
async fn what_cannot_be_priced_as_expected_is_refused() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let away = outage.client(&buyer.client);
    let mut body = order_of(&buyer.sku, 1, VISA);
    body["expected_total"] = eur(1);
    let changed = away
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(409);
    assert_eq!(changed.problem(), "total-changed");
    body["expected_total"] = changed.body["total"].clone();
    let _ = away
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(202);
    let unknown = order_of("NEVER-SOLD", 1, VISA);
    let refused = away
        .post_once("/checkout", &new_key(), &unknown)
        .await
        .expect(503);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
}

#[tokio::test]
async fn first_attempt_that_had_committed_is_not_done_again() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let (body, key) = (order_of(&buyer.sku, 1, VISA), new_key());
    let placed = buyer
        .client
        .post_once("/checkout", &key, &body)
        .await
        .expect(201)
        .body;
    let away = outage.client(&buyer.client);
    let order = away
        .post_once("/checkout", &key, &body)
        .await
        .expect(202)
        .body;
    assert_eq!(order["id"], placed["id"]);
    let shown = buyer.finish(&outage, &order).await;
    assert_eq!(statuses(&shown), ["payment_pending", "paid"]);
    assert_eq!(charges(&order).await.len(), 1);
    // It waits no more.
    let _ = away.get(&path(&order)).await.expect(503);
}

#[tokio::test]
async fn two_workers_at_once_place_and_charge_an_order_once() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let order = buyer.order(&outage, 1, VISA).await;
    let others = [
        outage.function::<OrderWorker>(&[]).await,
        outage.function::<OrderWorker>(&[]).await,
    ];
    let done = tokio::join!(
        nudge(&outage.worker, &order, &buyer.id),
        nudge(&others[0], &order, &buyer.id),
        nudge(&others[1], &order, &buyer.id)
    );
    assert_eq!(done, (true, true, true));
    let shown = buyer.shown(&order).await;
    assert_eq!(statuses(&shown), ["received", "payment_pending", "paid"]);
    assert_eq!(charges(&order).await.len(), 1);
}

#[tokio::test]
async fn without_a_nudge_the_sweeper_finds_every_order() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let orders = [
        buyer.order(&outage, 1, VISA).await,
        buyer.order(&outage, 2, VISA).await,
    ];
    let sweeper = outage.function::<Sweeper>(&[]).await;
    elsewhere().await;
    // The deployed sweeper may be at the same job, of its own table.
    let finished = eventually("it has the job to itself", async || {
        let done = sweeper::run(sweeper.clone()).await.unwrap();
        done["intents"].as_u64()
    });
    assert_eq!(finished.await, 2);
    for order in &orders {
        assert_eq!(buyer.shown(order).await["status"], "paid");
        assert_eq!(charges(order).await.len(), 1);
    }
}

#[tokio::test]
async fn nudge_is_acknowledged_while_there_is_no_writer_and_the_next_one_places_the_order() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let order = buyer.order(&outage, 1, VISA).await;
    let nowhere = [("DB_HOSTS", "127.0.0.1:9".to_owned())];
    let idle = outage.function::<OrderWorker>(&nowhere).await;
    assert!(nudge(&idle, &order, &buyer.id).await);
    let away = outage.client(&buyer.client);
    assert_eq!(
        away.get(&path(&order)).await.expect(200).body["status"],
        "received"
    );
    assert_eq!(buyer.finish(&outage, &order).await["status"], "paid");
}

#[tokio::test]
async fn means_of_payment_are_looked_up_when_the_order_is_placed() {
    let outage = Outage::begin().await;
    let (owner, thief) = (
        Buyer::come(&outage, 5, 0).await,
        Buyer::come(&outage, 5, 0).await,
    );
    let saved = owner
        .client
        .post("/payment-methods", json!({"token": VISA}))
        .await
        .expect(201);
    let order = async |buyer: &Buyer| {
        let mut body = order_of(&buyer.sku, 1, VISA);
        body["payment"] = json!({"method": "card", "payment_method_id": saved.body["id"]});
        let away = outage.client(&buyer.client);
        away.post_once("/checkout", &new_key(), &body)
            .await
            .expect(202)
            .body
    };
    let (own, stolen) = (order(&owner).await, order(&thief).await);
    assert_eq!(owner.finish(&outage, &own).await["status"], "paid");
    assert_eq!(thief.finish(&outage, &stolen).await["status"], "rejected");
    thief.is_told("saved card").await;
    let poor = owner.order(&outage, 1, "wallet").await;
    assert_eq!(
        owner.finish(&outage, &poor).await["status"],
        "payment_failed"
    );
    owner.is_told("could not be paid").await;
    let held = owner
        .order(&outage, 1, "pm_card_authenticationRequired")
        .await;
    assert_eq!(
        owner.finish(&outage, &held).await["status"],
        "payment_pending"
    );
    owner.is_told("confirm the payment").await;
}

#[tokio::test]
async fn waiting_order_is_cancelled_before_anything_is_charged() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let order = buyer.order(&outage, 1, VISA).await;
    let cancel = format!("{}/cancel", path(&order));
    let away = outage.client(&buyer.client);
    let _ = away.post(&cancel, json!({})).await.expect(503);
    let back = buyer.client.at(&outage.checkout(&[]).await);
    let waiting = back.get(&path(&order)).await.expect(200);
    assert_eq!(
        (&waiting.body["status"], waiting.header("x-degraded")),
        (&json!("received"), "")
    );
    elsewhere().await;
    let cancelled = back.post(&cancel, json!({})).await.expect(200);
    assert_eq!(statuses(&cancelled.body), ["received", "cancelled"]);
    let shown = buyer.finish(&outage, &order).await;
    assert_eq!(shown["status"], "cancelled");
    assert!(charges(&order).await.is_empty());
}

#[tokio::test]
async fn order_of_a_cart_that_was_placed_before_is_never_said_to_be_absent() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let cart = buyer.client.post("/carts", json!({})).await.expect(201);
    let cart_id = cart.body["id"].as_str().unwrap();
    let line = format!("/carts/{cart_id}/lines/{}", buyer.sku);
    let _ = buyer
        .client
        .put(&line, json!({"quantity": 1}))
        .await
        .expect(200);
    let mut body = order_of(&buyer.sku, 1, VISA);
    body.as_object_mut().unwrap().remove("lines");
    body["cart_id"] = json!(cart_id);
    let key = new_key();
    let first = buyer.client.post_once("/checkout", &key, &body).await;
    let first = first.expect(201);
    // The cart is gone, and whether it was ordered only the database knows.
    let away = outage.client(&buyer.client);
    let _ = away.post_once("/checkout", &key, &body).await.expect(503);
    let again = buyer.client.post_once("/checkout", &key, &body).await;
    assert_eq!(again.expect(201).bytes, first.bytes);
}

#[tokio::test]
async fn key_of_a_waiting_order_is_answered_alike_when_the_database_is_back() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let (away, key) = (outage.client(&buyer.client), new_key());
    let body = order_of(&buyer.sku, 1, VISA);
    let first = away.post_once("/checkout", &key, &body).await.expect(202);
    let back = buyer.client.at(&outage.checkout(&[]).await);
    let again: Answer = back.post_once("/checkout", &key, &body).await.expect(202);
    assert_eq!(again.bytes, first.bytes);
    let _ = back
        .post_once("/checkout", &key, &order_of(&buyer.sku, 2, VISA))
        .await
        .expect(422);
    assert!(charges(&first.body).await.is_empty());
}
