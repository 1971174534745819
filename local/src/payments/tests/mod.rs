//! The sandbox through its router.

mod idempotency;
mod intents;
mod objects;
mod refunds;
mod webhooks;

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Options, Sandbox};

const SECRET_KEY: &str = "sk_test_sandbox";
/// A paid intent of 20.00 EUR.
const PAID: &str = "amount=2000&currency=eur&payment_method=pm_card_visa&confirm=true\
                    &automatic_payment_methods[enabled]=true\
                    &automatic_payment_methods[allow_redirects]=never&metadata[order]=o1";

/// A sandbox with a ledger of its own, removed at the end.
struct Shop {
    data_dir: PathBuf,
    router: Router,
}

/// An answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Shop {
    fn open() -> Self {
        let data_dir = std::env::temp_dir().join(format!("sandbox-{}", uuid::Uuid::new_v4()));
        let router = Sandbox::open(options(&data_dir)).unwrap().router();
        Self { data_dir, router }
    }

    /// The same ledger in a new process, as far as the sandbox can tell.
    fn reopen(&mut self) {
        self.router = Router::new();
        self.router = Sandbox::open(options(&self.data_dir)).unwrap().router();
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.send(request("POST", path, form)).await
    }

    async fn post_keyed(&self, key: &str, path: &str, form: &str) -> Answer {
        let mut request = request("POST", path, form);
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, "")).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::String(text));
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// A new intent that must be accepted.
    async fn intent(&self, form: &str) -> Value {
        let answer = self.post("/v1/payment_intents", form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The ledger's entries of one kind.
    async fn entries(&self, kind: &str) -> Vec<Value> {
        let ledger = self.get("/_sandbox/ledger").await.body;
        let entries = ledger["data"].as_array().unwrap().clone();
        entries
            .into_iter()
            .filter(|entry| entry["kind"] == kind)
            .collect()
    }

    /// The types of all events, oldest first.
    async fn event_types(&self) -> Vec<String> {
        let events = self.get("/v1/events?limit=100").await.body;
        let events = events["data"].as_array().unwrap().clone();
        events
            .iter()
            .rev()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.data_dir).ok();
    }
}

impl Answer {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn options(data_dir: &std::path::Path) -> Options {
    Options {
        listen: ([127, 0, 0, 1], 27_802).into(),
        data_dir: data_dir.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        webhook: None,
    }
}

fn request(method: &str, path: &str, form: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {SECRET_KEY}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .unwrap()
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}
