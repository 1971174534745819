//! What happens after the answer: webhooks, the worker, mails.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client as Http, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::state::Checkout;
use tests::Stack;
use tests::client::{Client, read};
use tests::shop::{Shop, eventually, new_key, order_of};
use time::OffsetDateTime;

/// Places an order whose payment must be authenticated; its path, and the payment at the provider.
async fn held_order(shop: &Shop, sku: &str) -> (String, String) {
    let body = order_of(sku, 1, "pm_card_authenticationRequired");
    let held = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(402);
    let secret = held.body["client_secret"].as_str().unwrap();
    let payment = secret.split("_secret").next().unwrap().to_owned();
    (
        format!("/orders/{}", held.body["order_id"].as_str().unwrap()),
        payment,
    )
}

/// Does what the customer does at their bank.
async fn authenticate(payment: &str, outcome: &str) {
    let url = format!(
        "{}/_sandbox/payment_intents/{payment}/authenticate",
        Stack::running().payments_url
    );
    let answer = Http::new()
        .post(url)
        .json(&json!({"outcome": outcome}))
        .send()
        .await
        .unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

async fn status_becomes(client: &Client, order: &str, status: &str) -> Value {
    eventually(status, async || {
        let shown = client.get(order).await.expect(200);
        (shown.body["status"] == status).then_some(shown.body)
    })
    .await
}

#[tokio::test]
async fn authenticated_payment_is_finished_by_the_providers_webhook() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let (order, payment) = held_order(&shop, &sku).await;
    authenticate(&payment, "succeed").await;
    let paid = status_becomes(&shop.customer, &order, "paid").await;
    assert_eq!(paid["payment"]["status"], "captured");
}

#[tokio::test]
async fn failed_authentication_releases_the_stock() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let (order, payment) = held_order(&shop, &sku).await;
    authenticate(&payment, "fail").await;
    status_becomes(&shop.customer, &order, "payment_failed").await;
    let body = order_of(&sku, 1, "pm_card_visa");
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
}

fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={seconds},v1={hex}")
}

#[tokio::test]
async fn webhook_is_taken_twice_but_never_unsigned_altered_or_old() {
    let shop = Shop::open().await;
    let state = tests::state::<Checkout>().await;
    let keys: Value = state.secrets.json("holdfast/local/stripe").await.unwrap();
    let secret = keys["webhook_secret"].as_str().unwrap();
    let body = json!({
        "id": format!("evt_{}", new_key()), "type": "payment_intent.succeeded",
        "data": {"object": {"object": "payment_intent", "id": "pi_of_nobody"}},
    })
    .to_string();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let send = async |signature: String, body: &str| {
        let request = Client::anonymous(&shop.api_url).request(Method::POST, "/webhooks/stripe");
        read(
            request
                .header("Stripe-Signature", signature)
                .body(body.to_owned()),
        )
        .await
        .status
    };
    for _ in 0..2 {
        assert_eq!(
            send(signature(secret, now, &body), &body).await,
            StatusCode::OK
        );
    }
    for (signature, body) in [
        (String::new(), body.clone()),
        (signature("whsec_other", now, &body), body.clone()),
        (signature(secret, now - 301, &body), body.clone()),
        (
            signature(secret, now, &body),
            body.replace("succeeded", "canceled"),
        ),
    ] {
        assert_eq!(send(signature, &body).await, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn buyer_gets_mails_that_verify_the_address_and_confirm_the_order() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let buyer = shop.newcomer().await;
    let email = buyer.get("/auth/me").await.expect(200).body["email"].clone();
    let order = buyer
        .post_once("/checkout", &new_key(), &order_of(&sku, 1, "pm_card_visa"))
        .await;
    let order = order.expect(201);
    let stack = Stack::running();
    let mails = eventually("two mails", async || {
        let mails = stack.ses_mails_to(email.as_str().unwrap()).await;
        let mails: Vec<String> = mails.iter().map(ToString::to_string).collect();
        (mails.len() >= 2).then_some(mails)
    })
    .await;
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains("/verify-email?token=")),
        "{mails:?}"
    );
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains(order.body["id"].as_str().unwrap())),
        "{mails:?}"
    );
}
