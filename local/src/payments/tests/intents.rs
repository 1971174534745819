//! Each way that an intent can go.

use serde_json::json;

use super::{PAID, Shop, id};

const NEVER: &str =
    "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";

fn paying_with(method: &str) -> String {
    format!("amount=2000&currency=eur&confirm=true&payment_method={method}&{NEVER}")
}

#[tokio::test]
async fn an_intent_is_made_then_confirmed() {
    let shop = Shop::open();
    let intent = shop
        .intent(&format!("amount=50&currency=eur&{NEVER}"))
        .await;
    assert_eq!(intent["status"], "requires_payment_method");
    assert!(
        intent["client_secret"]
            .as_str()
            .unwrap()
            .starts_with(id(&intent))
    );

    let confirm = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let early = shop.post(&confirm, "").await;
    assert_eq!(
        (early.status, early.code()),
        (400, "payment_intent_unexpected_state")
    );

    let paid = shop
        .post(&confirm, "payment_method=pm_card_mastercard")
        .await
        .body;
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(paid["amount_received"], 50);
    let types = [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ];
    assert_eq!(shop.event_types().await, types);

    let again = shop.post(&confirm, "").await;
    assert_eq!(
        (again.status, again.code()),
        (400, "payment_intent_unexpected_state")
    );
    assert_eq!(again.body["error"]["payment_intent"]["status"], "succeeded");
}

#[tokio::test]
async fn a_method_alone_waits_for_confirmation() {
    let shop = Shop::open();
    let form = format!("amount=99999999&currency=usd&payment_method=pm_card_visa&{NEVER}");
    let intent = shop.intent(&form).await;
    assert_eq!(intent["status"], "requires_confirmation");
    let method = intent["payment_method"].as_str().unwrap();
    assert!(method.starts_with("pm_") && method != "pm_card_visa");
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&intent));
    assert_eq!(shop.post(&confirm, "").await.body["status"], "succeeded");
}

#[tokio::test]
async fn the_charge_shows_its_card_when_expanded() {
    let shop = Shop::open();
    let intent = shop.intent(&format!("{PAID}&expand[]=latest_charge")).await;
    let charge = &intent["latest_charge"];
    assert_eq!(charge["payment_method_details"]["card"]["last4"], "4242");
    assert_eq!(charge["payment_method_details"]["card"]["brand"], "visa");
    assert_eq!(charge["metadata"], json!({ "order": "o1" }));
    let path = format!("/v1/payment_intents/{}", id(&intent));
    assert_eq!(shop.get(&path).await.body["latest_charge"], charge["id"]);
    let listed = shop
        .get("/v1/payment_intents?expand[]=data.latest_charge")
        .await
        .body;
    assert_eq!(listed["data"][0]["latest_charge"]["id"], charge["id"]);
    let wrong = shop.get(&format!("{path}?expand[]=nonsense")).await;
    assert_eq!(
        (wrong.status, &wrong.body["error"]["param"]),
        (400, &json!("expand"))
    );
}

#[tokio::test]
async fn refused_cards_give_402_with_the_intent() {
    let shop = Shop::open();
    let cases = [
        (
            "pm_card_visa_chargeDeclined",
            "card_declined",
            "generic_decline",
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        (
            "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
            "card_declined",
            "card_velocity_exceeded",
        ),
        (
            "pm_card_chargeCustomerFail",
            "card_declined",
            "generic_decline",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", ""),
    ];
    for (method, code, decline_code) in cases {
        let answer = shop.post("/v1/payment_intents", &paying_with(method)).await;
        let error = &answer.body["error"];
        assert_eq!((answer.status, answer.code()), (402, code));
        assert_eq!(error["type"], "card_error");
        assert_eq!(
            error["decline_code"].as_str().unwrap_or_default(),
            decline_code
        );
        let intent = &error["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(intent["last_payment_error"]["code"], code);
        assert_eq!(intent["latest_charge"], error["charge"]);
        assert_eq!(error["payment_method"]["type"], "card");
        let path = format!("/v1/payment_intents/{}", id(intent));
        assert_eq!(&shop.get(&path).await.body, intent);
    }
    assert_eq!(shop.entries("failed_charge").await.len(), cases.len());
    assert!(shop.entries("charge").await.is_empty());
    let types = shop.event_types().await;
    assert_eq!(types[types.len() - 1], "payment_intent.payment_failed");
}

#[tokio::test]
async fn a_refused_intent_can_be_paid_with_another_card() {
    let shop = Shop::open();
    let form = paying_with("pm_card_visa_chargeDeclined");
    let refused = shop.post("/v1/payment_intents", &form).await.body;
    let path = format!(
        "/v1/payment_intents/{}/confirm",
        id(&refused["error"]["payment_intent"])
    );
    let paid = shop.post(&path, "payment_method=pm_card_visa").await.body;
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(paid["last_payment_error"], json!(null));
}

#[tokio::test]
async fn authentication_can_be_finished_or_failed() {
    let shop = Shop::open();
    for (outcome, status) in [
        ("succeed", "succeeded"),
        ("fail", "requires_payment_method"),
    ] {
        let intent = shop
            .intent(&paying_with("pm_card_authenticationRequired"))
            .await;
        assert_eq!(intent["status"], "requires_action");
        assert_eq!(intent["next_action"]["type"], "use_stripe_sdk");
        let path = format!("/_sandbox/payment_intents/{}/authenticate", id(&intent));
        let body = json!({ "outcome": outcome }).to_string();
        let after = shop.post(&path, &body).await.body;
        assert_eq!(after["status"], status);
        assert_eq!(after["next_action"], json!(null));
        assert_eq!(
            shop.post(&path, &body).await.code(),
            "payment_intent_unexpected_state"
        );
    }
    let failed = shop.get("/v1/payment_intents?limit=1").await.body;
    let code = &failed["data"][0]["last_payment_error"]["code"];
    assert_eq!(code, "payment_intent_authentication_failure");
}

#[tokio::test]
async fn nobody_authenticates_off_session() {
    let shop = Shop::open();
    let form = format!(
        "{}&off_session=true",
        paying_with("pm_card_authenticationRequired")
    );
    let answer = shop.post("/v1/payment_intents", &form).await;
    assert_eq!(
        (answer.status, answer.code()),
        (402, "authentication_required")
    );
    let form = paying_with("pm_card_authenticationRequiredSetupForOffSession");
    assert_eq!(shop.intent(&form).await["status"], "requires_action");
    assert_eq!(
        shop.intent(&format!("{form}&off_session=true")).await["status"],
        "succeeded"
    );
}

#[tokio::test]
async fn a_card_may_refuse_after_authentication() {
    let shop = Shop::open();
    let intent = shop
        .intent(&paying_with("pm_card_threeDSecureRequiredChargeDeclined"))
        .await;
    let path = format!("/_sandbox/payment_intents/{}/authenticate", id(&intent));
    let after = shop.post(&path, "{\"outcome\": \"succeed\"}").await.body;
    assert_eq!(after["status"], "requires_payment_method");
    assert_eq!(after["last_payment_error"]["code"], "card_declined");
    assert!(shop.entries("charge").await.is_empty());
}

#[tokio::test]
async fn the_issuers_page_sends_the_customer_back() {
    let shop = Shop::open();
    let form = "amount=2000&currency=eur&confirm=true&payment_method=pm_card_threeDSecure2Required\
                &return_url=https://shop.example/thanks?order=7";
    let intent = shop.intent(form).await;
    let redirect = &intent["next_action"]["redirect_to_url"];
    let page = redirect["url"]
        .as_str()
        .unwrap()
        .strip_prefix("http://127.0.0.1:27802")
        .unwrap();
    assert_eq!(shop.get(page).await.status, 200);
    let (path, secret) = page.split_once('?').unwrap();
    assert_eq!(shop.get(path).await.status, 404);
    let back = shop.post(path, &format!("{secret}&outcome=succeed")).await;
    let address = back.header("location").unwrap();
    assert!(address.starts_with("https://shop.example/thanks?order=7&payment_intent=pi_"));
    assert!(address.ends_with("redirect_status=succeeded"));
    assert_eq!(shop.entries("charge").await.len(), 1);
}

#[tokio::test]
async fn held_money_is_captured_once_and_at_most_in_full() {
    let shop = Shop::open();
    let intent = shop.intent(&format!("{PAID}&capture_method=manual")).await;
    assert_eq!(intent["status"], "requires_capture");
    assert_eq!(intent["amount_capturable"], 2000);
    let path = format!("/v1/payment_intents/{}/capture", id(&intent));
    assert_eq!(
        shop.post(&path, "amount_to_capture=2001").await.code(),
        "amount_too_large"
    );
    let captured = shop.post(&path, "amount_to_capture=1500").await.body;
    assert_eq!(captured["status"], "succeeded");
    assert_eq!(
        (&captured["amount_received"], &captured["amount"]),
        (&json!(1500), &json!(2000))
    );
    assert_eq!(
        shop.post(&path, "").await.code(),
        "payment_intent_unexpected_state"
    );
    assert_eq!(shop.entries("authorization").await[0]["amount"], 2000);
    assert_eq!(shop.entries("capture").await[0]["amount"], 1500);
    assert_eq!(shop.entries("release").await[0]["amount"], 500);
}

#[tokio::test]
async fn an_open_intent_is_canceled_and_a_paid_one_is_not() {
    let shop = Shop::open();
    let held = shop.intent(&format!("{PAID}&capture_method=manual")).await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&held));
    let canceled = shop.post(&path, "cancellation_reason=abandoned").await.body;
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(canceled["cancellation_reason"], "abandoned");
    assert_eq!(shop.entries("release").await[0]["amount"], 2000);
    assert_eq!(
        shop.event_types().await.last().unwrap(),
        "payment_intent.canceled"
    );

    let paid = shop.intent(PAID).await;
    let refused = shop
        .post(&format!("/v1/payment_intents/{}/cancel", id(&paid)), "")
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "payment_intent_unexpected_state")
    );
    assert_eq!(refused.body["error"]["payment_intent"], paid);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let shop = Shop::open();
    let cases = [
        ("currency=eur", "parameter_missing", "amount"),
        ("amount=&currency=eur", "parameter_invalid_empty", "amount"),
        (
            "amount=ten&currency=eur",
            "parameter_invalid_integer",
            "amount",
        ),
        (
            "amount=0&currency=eur",
            "parameter_invalid_integer",
            "amount",
        ),
        (
            "amount=-100&currency=eur",
            "parameter_invalid_integer",
            "amount",
        ),
        ("amount=49&currency=eur", "amount_too_small", "amount"),
        (
            "amount=100000000&currency=eur",
            "amount_too_large",
            "amount",
        ),
        (
            "amount=9007199254740993&currency=eur",
            "amount_too_large",
            "amount",
        ),
        ("amount=50", "parameter_missing", "currency"),
        ("amount=50&currency=EUR", "", "currency"),
        ("amount=50&currency=xxx", "", "currency"),
        (
            "amount=50&currency=eur&colour=red",
            "parameter_unknown",
            "colour",
        ),
        ("amount=50&currency=eur&off_session=true", "", "off_session"),
        (
            "amount=50&currency=eur&customer=cus_no",
            "resource_missing",
            "customer",
        ),
        (
            "amount=50&currency=eur&payment_method=pm_no",
            "resource_missing",
            "payment_method",
        ),
        (
            "amount=50&currency=eur&confirm=true&return_url=https://a.b",
            "",
            "payment_method",
        ),
    ];
    for (form, code, param) in cases {
        let answer = shop.post("/v1/payment_intents", form).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{form}");
        assert_eq!(answer.body["error"]["param"], param, "{form}");
        assert_eq!(answer.body["error"]["type"], "invalid_request_error");
    }
    let no_return = shop.post(
        "/v1/payment_intents",
        "amount=50&currency=eur&payment_method=pm_card_visa&confirm=true",
    );
    assert_eq!(no_return.await.status, 400);
    let list = shop.get("/v1/payment_intents").await.body;
    assert_eq!(list["data"], json!([]));
}
