//! Keys, customers, payment methods, lists.

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Request, header};
use serde_json::json;

use super::{PAID, SECRET_KEY, Shop, id, request};

#[tokio::test]
async fn the_secret_key_is_asked_for() {
    let shop = Shop::open();
    let with = |value: Option<String>| {
        let mut request = Request::get("/v1/payment_intents");
        if let Some(value) = value {
            request = request.header(header::AUTHORIZATION, value);
        }
        shop.send(request.body(Body::empty()).unwrap())
    };
    let basic = |key: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
    assert_eq!(with(None).await.status, 401);
    assert_eq!(
        with(Some("Bearer sk_test_other".to_owned())).await.status,
        401
    );
    assert_eq!(with(Some(basic("sk_test_other"))).await.status, 401);
    assert_eq!(with(Some(basic(SECRET_KEY))).await.status, 200);
    let right = with(Some(format!("Bearer {SECRET_KEY}"))).await;
    assert_eq!(right.status, 200);
    assert!(right.header("request-id").unwrap().starts_with("req_"));
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let shop = Shop::open();
    for path in [
        "payment_intents/pi_no",
        "customers/cus_no",
        "refunds/re_no",
        "events/evt_no",
        "payment_methods/pm_no",
        "charges/ch_no",
    ] {
        let answer = shop.get(&format!("/v1/{path}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (404, "resource_missing"),
            "{path}"
        );
    }
    assert_eq!(
        shop.post("/v1/payment_intents/pi_no/cancel", "")
            .await
            .status,
        404
    );
    let unknown = shop.get("/v1/subscriptions").await;
    assert_eq!((unknown.status, unknown.code()), (404, ""));
    assert_eq!(unknown.body["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn bodies_other_than_forms_are_refused() {
    let shop = Shop::open();
    let mut json = request("POST", "/v1/payment_intents", "{\"amount\": 50}");
    json.headers_mut()
        .insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(shop.send(json).await.status, 400);
}

#[tokio::test]
async fn a_method_belongs_to_its_customer_until_detached() {
    let shop = Shop::open();
    let customer = shop
        .post("/v1/customers", "email=a@b.example&name=A+B")
        .await
        .body;
    let other = shop.post("/v1/customers", "").await.body;
    let method = shop
        .post("/v1/payment_methods", "type=card&card[token]=tok_visa")
        .await
        .body;
    assert_eq!(
        (&method["card"]["last4"], &method["customer"]),
        (&json!("4242"), &json!(null))
    );
    let path = format!("/v1/payment_methods/{}", id(&method));
    let form = format!("customer={}", id(&customer));
    assert_eq!(
        shop.post(&format!("{path}/attach"), "customer=cus_no")
            .await
            .status,
        400
    );
    let attached = shop.post(&format!("{path}/attach"), &form).await.body;
    assert_eq!(attached["customer"], customer["id"]);
    for list in [
        format!("/v1/payment_methods?type=card&{form}"),
        format!("/v1/customers/{}/payment_methods", id(&customer)),
    ] {
        assert_eq!(shop.get(&list).await.body["data"], json!([attached]));
    }

    let pay = PAID.replace("pm_card_visa", id(&method));
    assert_eq!(shop.post("/v1/payment_intents", &pay).await.status, 400);
    let foreign = format!("{pay}&customer={}", id(&other));
    assert_eq!(
        shop.post("/v1/payment_intents", &foreign).await.code(),
        "resource_missing"
    );
    for _ in 0..2 {
        assert_eq!(
            shop.intent(&format!("{pay}&{form}")).await["status"],
            "succeeded"
        );
    }
    let mine = shop.get(&format!("/v1/payment_intents?{form}")).await.body;
    assert_eq!(mine["data"].as_array().unwrap().len(), 2);

    assert_eq!(
        shop.post(&format!("{path}/detach"), "").await.body["customer"],
        json!(null)
    );
    assert_eq!(shop.post("/v1/payment_intents", &pay).await.status, 400);
    assert_eq!(
        shop.post(&format!("{path}/attach"), &form).await.status,
        400
    );
}

#[tokio::test]
async fn a_loose_method_pays_once() {
    let shop = Shop::open();
    let method = shop.get("/v1/payment_methods/pm_card_visa").await.body;
    let pay = PAID.replace("pm_card_visa", id(&method));
    assert_eq!(shop.post("/v1/payment_intents", &pay).await.status, 200);
    assert_eq!(shop.post("/v1/payment_intents", &pay).await.status, 400);
    assert_eq!(shop.entries("charge").await.len(), 1);
}

#[tokio::test]
async fn a_refusing_card_cannot_be_attached() {
    let shop = Shop::open();
    let customer = shop.post("/v1/customers", "").await.body;
    let form = format!("customer={}", id(&customer));
    let path = |method: &str| format!("/v1/payment_methods/{method}/attach");
    let refused = shop.post(&path("pm_card_visa_chargeDeclined"), &form).await;
    assert_eq!((refused.status, refused.code()), (402, "card_declined"));
    assert_eq!(
        shop.post(&path("pm_card_chargeCustomerFail"), &form)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn card_numbers_are_refused_and_not_kept() {
    let shop = Shop::open();
    let form = "type=card&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2034";
    let refused = shop.post_keyed("k", "/v1/payment_methods", form).await;
    assert_eq!(refused.status, 402);
    assert!(!refused.body.to_string().contains("4242424242424242"));
    let ledger = std::fs::read_to_string(shop.data_dir.join("payments.jsonl")).unwrap();
    assert!(!ledger.contains("4242424242424242"));
}

#[tokio::test]
async fn a_deleted_customer_is_a_tombstone() {
    let shop = Shop::open();
    let customer = shop
        .post("/v1/customers", "payment_method=pm_card_visa")
        .await
        .body;
    let path = format!("/v1/customers/{}", id(&customer));
    assert_eq!(shop.get(&path).await.body, customer);
    let gone = json!({ "id": id(&customer), "object": "customer", "deleted": true });
    assert_eq!(shop.send(request("DELETE", &path, "")).await.body, gone);
    assert_eq!(shop.get(&path).await.body, gone);
    assert_eq!(shop.send(request("DELETE", &path, "")).await.status, 404);
    let pay = format!("{PAID}&customer={}", id(&customer));
    assert_eq!(
        shop.post("/v1/payment_intents", &pay).await.code(),
        "resource_missing"
    );
}

#[tokio::test]
async fn lists_have_cursors_and_times() {
    let shop = Shop::open();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, id(&shop.intent(PAID).await).to_owned());
    }
    let pages = [
        ("limit=2".to_owned(), 0..2, true),
        (format!("limit=2&starting_after={}", ids[1]), 2..4, true),
        (format!("limit=2&starting_after={}", ids[3]), 4..5, false),
        (format!("limit=2&ending_before={}", ids[3]), 1..3, true),
        (format!("limit=2&ending_before={}", ids[1]), 0..1, false),
        ("created[gte]=1".to_owned(), 0..5, false),
        ("created[gte]=99999999999".to_owned(), 0..0, false),
    ];
    for (query, range, has_more) in pages {
        let page = shop.get(&format!("/v1/payment_intents?{query}")).await.body;
        let shown: Vec<_> = page["data"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(
            (shown, &page["has_more"]),
            (
                ids[range].iter().map(String::as_str).collect(),
                &json!(has_more)
            ),
            "{query}"
        );
    }
    for wrong in [
        "limit=0",
        "limit=101",
        "starting_after=pi_no",
        "created[gte]=x",
        "colour=red",
    ] {
        assert_eq!(
            shop.get(&format!("/v1/payment_intents?{wrong}"))
                .await
                .status,
            400,
            "{wrong}"
        );
    }
}
