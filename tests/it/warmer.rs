//! The warmer, against a Lambda that holds every call until all have come.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, Mutex};
use warmer::{Warmed, keep_warm};

use crate::offline::state;

#[derive(Clone)]
struct FakeLambda {
    all_there: Arc<Barrier>,
    payloads: Arc<Mutex<Vec<(String, String)>>>,
}

async fn invoke(
    State(lambda): State<FakeLambda>,
    Path(function): Path<String>,
    payload: String,
) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
    lambda
        .payloads
        .lock()
        .await
        .push((function.clone(), payload));
    // Nobody is answered before all are here, so fewer at once would time out.
    lambda.all_there.wait().await;
    match function.as_str() {
        "absent:live" => (
            StatusCode::NOT_FOUND,
            [("x-amzn-errortype", "ResourceNotFoundException")],
            "{}",
        ),
        "broken:live" => (
            StatusCode::OK,
            [("x-amz-function-error", "Unhandled")],
            "{}",
        ),
        _ => (
            StatusCode::OK,
            [("content-type", "application/json")],
            "{\"warm\":true}",
        ),
    }
}

/// Runs the warmer for `targets` against a Lambda that waits for `calls` at once.
async fn run(targets: &str, calls: usize) -> (Result<Value, lambda_runtime::Error>, FakeLambda) {
    let lambda = FakeLambda {
        all_there: Arc::new(Barrier::new(calls)),
        payloads: Arc::default(),
    };
    let route = "/2015-03-31/functions/{function}/invocations";
    let router = Router::new()
        .route(route, post(invoke))
        .with_state(lambda.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let state = state(&endpoint, &[("WARM_TARGETS", targets)]);
    tokio::select! {
        served = axum::serve(listener, router) => panic!("{served:?}"),
        result = keep_warm(state) => (result, lambda),
    }
}

fn warmed(function: &str, asked: usize, answered: usize) -> Warmed {
    let function = function.to_owned();
    Warmed {
        function,
        asked,
        answered,
    }
}

#[tokio::test]
async fn every_environment_is_asked_at_once_and_one_target_stops_no_other() {
    let targets = r#"[{"function": "absent:live", "concurrency": 2}, {"function": "broken:live", "concurrency": 1},
        {"function": "auth:live", "concurrency": 4}, {"function": "off:live", "concurrency": 0}]"#;
    let (result, lambda) = run(targets, 7).await;
    let result: Vec<Warmed> = serde_json::from_value(result.unwrap()).unwrap();
    assert_eq!(
        result,
        [
            warmed("absent:live", 2, 0),
            warmed("broken:live", 1, 0),
            warmed("auth:live", 4, 4),
            warmed("off:live", 0, 0),
        ]
    );
    let payloads = lambda.payloads.lock().await;
    assert_eq!(payloads.len(), 7);
    for (function, payload) in payloads.iter() {
        let event = serde_json::value::RawValue::from_string(payload.clone()).unwrap();
        assert!(shared::http::is_warm_up(&event), "{function}: {payload}");
    }
}

#[tokio::test]
async fn warmer_that_reaches_nobody_fails() {
    let (result, _) = run(r#"[{"function": "absent:live", "concurrency": 1}]"#, 1).await;
    assert!(result.is_err());
    let (result, _) = run("[]", 1).await;
    assert_eq!(result.unwrap(), serde_json::json!([]));
}
