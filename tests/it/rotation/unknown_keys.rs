//! Tokens with key ids that nobody knows, against a Secrets Manager that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use futures::future::join_all;
use ops::AppState;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::offline;

#[derive(Clone, Default)]
struct FakeStore {
    reads: Arc<AtomicUsize>,
    is_away: Arc<AtomicBool>,
}

async fn read(State(store): State<FakeStore>) -> (StatusCode, String) {
    store.reads.fetch_add(1, Ordering::Relaxed);
    if store.is_away.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "{}".to_owned());
    }
    let ring = json!({"keys": [{"kid": "known", "public": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let answer = json!({"Name": "x", "VersionId": "1", "SecretString": ring.to_string()});
    (StatusCode::OK, answer.to_string())
}

/// Runs `test` with a state whose Secrets Manager is the fake one.
async fn with_store(test: impl AsyncFnOnce(&AppState, &FakeStore)) {
    let store = FakeStore::default();
    let router = Router::new()
        .route("/", post(read))
        .with_state(store.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let state = offline::state(&endpoint, &[]);
    tokio::select! {
        served = axum::serve(listener, router) => panic!("{served:?}"),
        () = test(&state, &store) => {}
    }
}

/// A token that names a key and is signed by nobody.
fn token() -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = json!({"typ": "JWT", "alg": "EdDSA", "kid": Uuid::new_v4()}).to_string();
    format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header))
}

async fn storm(state: &AppState) {
    for _ in 0..20 {
        let refused = join_all((0..50).map(async |_| state.verifier.verify(&token()).await));
        assert!(refused.await.iter().all(Result::is_err));
    }
}

#[tokio::test]
async fn random_keys_cause_one_read_in_five_seconds() {
    with_store(async |state, store| {
        storm(state).await;
        // The ring itself, and the one look for a key that is not in it.
        assert_eq!(store.reads.load(Ordering::Relaxed), 2);
    })
    .await;
}

#[tokio::test]
async fn random_keys_cause_one_read_in_five_seconds_also_while_the_store_is_away() {
    with_store(async |state, store| {
        let known = state.verifier.ring().await.unwrap();
        store.is_away.store(true, Ordering::Relaxed);
        storm(state).await;
        // Both regions were asked once, which here are one.
        assert_eq!(store.reads.load(Ordering::Relaxed), 3);
        assert_eq!(state.verifier.ring().await.unwrap(), known);
    })
    .await;
}
