//! What the control says.

use super::super::control::{Faults, router};
use super::*;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

struct Scene(axum::Router);

impl Scene {
    async fn new() -> Self {
        let payments = proxy_of_echo(Dependency::Payments).await;
        let queue = proxy_of_echo(Dependency::Sqs).await;
        Self(router(Arc::new(vec![payments, queue])))
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        let answer = self.0.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    async fn in_force(&self) -> Vec<String> {
        let (_, listed) = self.ask("GET", "/faults", Value::Null).await;
        let listed: Faults = serde_json::from_value(listed).unwrap();
        let line =
            |fault: super::super::control::InForce| format!("{} {}", fault.dependency, fault.kind);
        listed.faults.into_iter().map(line).collect()
    }
}

#[tokio::test]
async fn faults_begin_are_listed_and_are_healed() {
    let scene = Scene::new().await;
    let (status, answer) = scene
        .ask(
            "PUT",
            "/faults/payments",
            json!({"kind": "hang", "for": "60s"}),
        )
        .await;
    let left = answer["faults"][0]["seconds_left"].as_f64().unwrap();
    assert!(status == 200 && left > 59.0 && left <= 60.0, "{answer}");
    let (_, answer) = scene
        .ask("PUT", "/faults/sqs", json!({"kind": "latency=20"}))
        .await;
    assert_eq!(answer["faults"][1]["seconds_left"], Value::Null);
    assert_eq!(scene.in_force().await, ["payments hang", "sqs latency=20"]);
    let (status, _) = scene.ask("DELETE", "/faults/payments", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(scene.in_force().await, ["sqs latency=20"]);
    let (_, answer) = scene.ask("DELETE", "/faults", Value::Null).await;
    assert_eq!(answer, json!({"faults": []}));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_what_can() {
    let scene = Scene::new().await;
    for (path, body, status, words) in [
        (
            "/faults/redis",
            json!({"kind": "hang"}),
            404,
            "no dependency `redis` yet",
        ),
        (
            "/faults/postgres",
            json!({"kind": "hang"}),
            404,
            "database-primary",
        ),
        ("/faults/sqs", json!({"kind": "explode"}), 422, "half-open"),
        ("/faults/sqs", json!({"kind": "error=101"}), 422, "0 to 100"),
        (
            "/faults/sqs",
            json!({"kind": "charge-then-drop"}),
            422,
            "Only `payments`",
        ),
        (
            "/faults/sqs",
            json!({"kind": "hang", "for": "soon"}),
            422,
            "60s",
        ),
    ] {
        let (got, answer) = scene.ask("PUT", path, body).await;
        let said = answer["error"].as_str().unwrap_or_default();
        assert!(got == status && said.contains(words), "{got} {answer}");
    }
    assert!(scene.in_force().await.is_empty());
}
