//! Webhooks as their receiver sees them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{PAID, Shop, id};

const SECRET: &str = "whsec_a_secret_of_the_test";

type Call = (String, Bytes);

/// A shop's webhook that refuses each event once and takes it the second time.
struct Receiver {
    url: String,
    calls: UnboundedReceiver<Call>,
}

impl Receiver {
    async fn start() -> Self {
        let (sender, calls) = unbounded_channel();
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state((sender, Seen::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }
}

type Seen = Arc<Mutex<HashSet<Bytes>>>;

async fn receive(
    State((calls, seen)): State<(UnboundedSender<Call>, Seen)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let is_first = seen.lock().unwrap().insert(body.clone());
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    calls.send((signature, body)).unwrap();
    if is_first {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}

/// HMAC-SHA256 written out (RFC 2104), so that it shares nothing with the sender's.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message);
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner.finalize());
    outer
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test]
async fn events_are_signed_and_sent_until_taken() {
    let shop = Shop::open();
    let mut receiver = Receiver::start().await;
    let endpoint = json!({ "url": receiver.url, "secret": SECRET }).to_string();
    assert_eq!(
        shop.post("/_sandbox/webhook_endpoint", &endpoint)
            .await
            .status,
        200
    );
    let paid = shop.post_keyed("k", "/v1/payment_intents", PAID).await.body;

    let mut taken = Vec::new();
    // Three events, each sent twice.
    for _ in 0..6 {
        let (signature, body) = receiver.calls.recv().await.unwrap();
        let (time, digest) = signature.split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let message = [time.as_bytes(), b".", &body].concat();
        assert_eq!(digest, hmac_sha256(SECRET.as_bytes(), &message));
        taken.push(serde_json::from_slice::<Value>(&body).unwrap());
    }
    let done = taken
        .iter()
        .find(|event| event["type"] == "payment_intent.succeeded")
        .unwrap();
    assert_eq!(done["data"]["object"], paid);
    assert_eq!(done["object"], "event");
    assert_eq!(done["livemode"], false);
    assert_eq!(done["request"]["idempotency_key"], "k");

    let path = format!("/v1/events/{}", id(done));
    while shop.get(&path).await.body["pending_webhooks"] != 0 {
        tokio::task::yield_now().await;
    }
    let of_type = shop.get("/v1/events?type=payment_intent.*").await.body;
    assert_eq!(of_type["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_made_up_endpoint_gets_a_secret() {
    let shop = Shop::open();
    let answer = shop
        .post(
            "/_sandbox/webhook_endpoint",
            "{\"url\": \"http://127.0.0.1:9/\"}",
        )
        .await;
    assert!(
        answer.body["secret"]
            .as_str()
            .unwrap()
            .starts_with("whsec_")
    );
    assert_eq!(
        shop.post("/_sandbox/webhook_endpoint", "{\"url\": \"nowhere\"}")
            .await
            .status,
        400
    );
}
