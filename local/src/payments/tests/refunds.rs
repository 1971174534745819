//! Never more back than was taken.

use futures::future::join_all;
use serde_json::json;

use super::{PAID, Shop, id};

#[tokio::test]
async fn refunds_add_up_to_the_charge_at_most() {
    let shop = Shop::open();
    let paid = shop.intent(PAID).await;
    let form = format!("payment_intent={}", id(&paid));
    let over = shop
        .post("/v1/refunds", &format!("{form}&amount=2001"))
        .await;
    assert_eq!((over.status, over.code()), (400, ""));
    assert_eq!(over.body["error"]["param"], "amount");
    let message = over.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("(€20.01) is greater than unrefunded amount on charge (€20.00)"));

    let part = format!("{form}&amount=500&reason=duplicate&metadata[a]=b");
    let part = shop.post("/v1/refunds", &part).await.body;
    assert_eq!(
        (&part["amount"], &part["status"]),
        (&json!(500), &json!("succeeded"))
    );
    let rest = shop.post("/v1/refunds", &form).await.body;
    assert_eq!(rest["amount"], 1500);
    let more = shop.post("/v1/refunds", &format!("{form}&amount=1")).await;
    assert_eq!((more.status, more.code()), (400, "charge_already_refunded"));

    let listed = shop.get(&format!("/v1/refunds?{form}")).await.body;
    assert_eq!(listed["data"], json!([rest, part]));
    let path = format!("/v1/refunds/{}", id(&part));
    assert_eq!(shop.get(&path).await.body, part);
    assert_eq!(
        shop.post(&path, "metadata[a]=c").await.body["metadata"]["a"],
        "c"
    );
    let charge = shop
        .get(&format!("/v1/charges/{}", part["charge"].as_str().unwrap()))
        .await
        .body;
    assert_eq!(
        (&charge["amount_refunded"], &charge["refunded"]),
        (&json!(2000), &json!(true))
    );
    let types = shop.event_types().await;
    for kind in ["refund.created", "charge.refunded", "refund.updated"] {
        assert!(types.iter().any(|other| other == kind), "{kind}");
    }
}

#[tokio::test]
async fn refunds_at_once_do_not_overlap() {
    let shop = Shop::open();
    let paid = shop.intent(PAID).await;
    let form = format!("payment_intent={}&amount=1500", id(&paid));
    let answers = join_all((0..8).map(|_| shop.post("/v1/refunds", &form))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    let refunds = shop.entries("refund").await;
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0]["amount"], 1500);
    assert_eq!(refunds[0]["payment_intent"], paid["id"]);
}

#[tokio::test]
async fn only_taken_money_is_refunded() {
    let shop = Shop::open();
    let unpaid = shop.intent("amount=2000&currency=eur").await;
    let held = shop.intent(&format!("{PAID}&capture_method=manual")).await;
    for intent in [unpaid, held] {
        let form = format!("payment_intent={}", id(&intent));
        let refused = shop.post("/v1/refunds", &form).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["param"]),
            (400, &json!("payment_intent"))
        );
    }
    for (form, code) in [
        ("amount=5", "parameter_missing"),
        ("payment_intent=pi_no", "resource_missing"),
        ("payment_intent=pi_no&amount=0", "parameter_invalid_integer"),
        ("payment_intent=pi_no&reason=bored", ""),
    ] {
        let refused = shop.post("/v1/refunds", form).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{form}");
    }
    assert!(shop.entries("refund").await.is_empty());
}
