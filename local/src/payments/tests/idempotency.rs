//! The first answer is the only answer.

use std::time::Duration;

use axum::Router;
use futures::future::join_all;
use serde_json::json;

use super::{PAID, Shop, options};
use crate::payments::Sandbox;

const INTENTS: &str = "/v1/payment_intents";

#[tokio::test]
async fn the_same_key_gives_the_same_answer() {
    let shop = Shop::open();
    let first = shop.post_keyed("k1", INTENTS, PAID).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let second = shop.post_keyed("k1", INTENTS, PAID).await;
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(
        second.header("original-request"),
        first.header("request-id")
    );
    assert_ne!(second.header("request-id"), first.header("request-id"));
    assert_eq!((second.status, &second.body), (first.status, &first.body));
    let charges = shop.entries("charge").await;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0]["idempotency_key"], "k1");
}

#[tokio::test]
async fn errors_after_execution_are_replayed() {
    let shop = Shop::open();
    let declined = PAID.replace("pm_card_visa", "pm_card_visa_chargeDeclined");
    for (key, form, status) in [
        ("k402", declined.as_str(), 402),
        ("k400", "amount=50&currency=eur&customer=cus_no", 400),
    ] {
        let first = shop.post_keyed(key, INTENTS, form).await;
        let second = shop.post_keyed(key, INTENTS, form).await;
        assert_eq!((first.status, second.status), (status, status));
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.body, second.body);
    }
    assert_eq!(shop.entries("failed_charge").await.len(), 1);
}

#[tokio::test]
async fn a_request_that_fails_validation_leaves_its_key_free() {
    let shop = Shop::open();
    for _ in 0..2 {
        let wrong = shop
            .post_keyed("k", INTENTS, "amount=49&currency=eur")
            .await;
        assert_eq!(
            (wrong.status, wrong.header("idempotent-replayed")),
            (400, None)
        );
    }
    assert_eq!(shop.post_keyed("k", INTENTS, PAID).await.status, 200);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused() {
    let shop = Shop::open();
    shop.post_keyed("k", INTENTS, PAID).await;
    let other = PAID.replace("2000", "2001");
    for (path, form) in [
        (INTENTS, other.as_str()),
        ("/v1/customers", PAID),
        (INTENTS, "amount=1"),
    ] {
        let refused = shop.post_keyed("k", path, form).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.body["error"]["type"], "idempotency_error");
    }
    assert_eq!(shop.entries("charge").await.len(), 1);
    let long = shop.post_keyed(&"k".repeat(256), INTENTS, PAID).await;
    assert_eq!(long.body["error"]["type"], "idempotency_error");
}

#[tokio::test]
async fn twenty_at_once_make_one_charge() {
    let mut shop = Shop::open();
    shop.router = Router::new();
    let sandbox = Sandbox::open(options(&shop.data_dir)).unwrap();
    shop.router = sandbox.with_latency(Duration::from_millis(20)).router();
    let answers = join_all((0..20).map(|_| shop.post_keyed("k", INTENTS, PAID))).await;
    let (paid, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((paid.len(), refused.len()), (1, 19));
    for answer in refused {
        assert_eq!(
            (answer.status, answer.code()),
            (409, "idempotency_key_in_use")
        );
        assert_eq!(answer.body["error"]["type"], "idempotency_error");
    }
    assert_eq!(shop.entries("charge").await.len(), 1);
    let later = shop.post_keyed("k", INTENTS, PAID).await;
    assert_eq!((later.status, &later.body), (200, &paid[0].body));
}

#[tokio::test]
async fn a_client_that_hangs_up_has_paid_all_the_same() {
    let mut shop = Shop::open();
    shop.router = Router::new();
    let sandbox = Sandbox::open(options(&shop.data_dir)).unwrap();
    shop.router = sandbox.with_latency(Duration::from_millis(20)).router();
    let call = shop.post_keyed("k", INTENTS, PAID);
    assert!(
        tokio::time::timeout(Duration::from_millis(1), call)
            .await
            .is_err()
    );
    let answer = loop {
        let answer = shop.post_keyed("k", INTENTS, PAID).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(answer.body["status"], "succeeded");
    assert_eq!(shop.entries("charge").await.len(), 1);
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let mut shop = Shop::open();
    let paid = shop.post_keyed("k", INTENTS, PAID).await.body;
    let refund = format!("payment_intent={}&amount=500", super::id(&paid));
    shop.post("/v1/refunds", &refund).await;
    let paths = [
        "/_sandbox/ledger",
        "/v1/events?limit=100",
        "/v1/payment_intents",
        "/v1/refunds",
    ];
    let before = join_all(paths.map(|path| shop.get(path))).await;

    // A process that died while writing leaves half a line.
    let file = shop.data_dir.join("payments.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"{\"at\": 17");
    std::fs::write(&file, bytes).unwrap();
    shop.reopen();

    let after = join_all(paths.map(|path| shop.get(path))).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.body, after.body);
    }
    let replayed = shop.post_keyed("k", INTENTS, PAID).await;
    assert_eq!(
        (replayed.header("idempotent-replayed"), &replayed.body),
        (Some("true"), &paid)
    );
    let rest = shop
        .post("/v1/refunds", &refund.replace("500", "1501"))
        .await;
    assert_eq!(
        (rest.status, &rest.body["error"]["param"]),
        (400, &json!("amount"))
    );
    assert_eq!(
        shop.post("/v1/refunds", &refund.replace("500", "1500"))
            .await
            .status,
        200
    );
    shop.reopen();
    assert_eq!(shop.entries("refund").await.len(), 2);
}
