//! Accounts and sessions through the router, with a database and tables of their own.

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::clock;
use shared::domain::accounts::Role;
use shared::providers::signing::Subject;
use shared::state::{AppState, Auth};
use tests::client::Answer;
use tower::ServiceExt;
use uuid::Uuid;

mod alike;
mod erasure;
mod passwords;
mod roles;
mod totp;

const PASSWORD: &str = "tr0mbone&Kelp";

/// What a request is made of: method, path, access token, body.
type Asked<'a> = (Method, &'a str, Option<&'a str>, Value);

async fn ask(router: &Router, (method, path, token, body): Asked<'_>) -> (StatusCode, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    answer(router, request).await
}

/// The same with everything that is answered.
async fn ask_whole(router: &Router, (method, path, token, body): Asked<'_>) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
        bytes,
    }
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn router() -> Router {
    auth::router(tests::state::<Auth>().await)
}

async fn post(router: &Router, path: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/api/v1/auth/{path}");
    ask(router, (Method::POST, &path, None, body)).await
}

async fn register(router: &Router, email: &str) -> (StatusCode, Value) {
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    post(router, "register", body).await
}

async fn login(router: &Router, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    let (status, pair) = post(router, "login", body).await;
    assert_eq!(status, StatusCode::OK, "{pair}");
    pair
}

async fn me(router: &Router, pair: &Value) -> (StatusCode, Value) {
    let token = pair["access_token"].as_str();
    let asked = (Method::GET, "/api/v1/auth/me", token, Value::Null);
    ask(router, asked).await
}

/// The account of an address.
async fn id_of(state: &AppState<Auth>, email: &str) -> Uuid {
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query_scalar("select id from users where email_key = $1")
        .bind(email)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

/// Runs a statement as the function's own role.
async fn execute(state: &AppState<Auth>, statement: &'static str, id: Uuid) {
    let mut tx = state.database.begin().await.unwrap();
    let done = sqlx::query(statement).bind(id).execute(&mut *tx).await;
    done.unwrap();
    shared::store::database::commit(tx).await.unwrap();
}

/// A token as if an account had this role and had shown a second factor.
async fn stepped_up(state: &AppState<Auth>, user_id: Uuid, role: Role) -> String {
    let as_of = clock::now();
    let subject = Subject {
        user_id,
        role,
        wallet_id: Uuid::nil(),
        email_verified: true,
        step_up_until: Some(as_of + time::Duration::minutes(15)),
        as_of,
    };
    state.signer.sign(subject).await.unwrap()
}

#[tokio::test]
async fn one_device_signed_out_leaves_the_other_alone() {
    let router = router().await;
    register(&router, "ada@example.com").await;
    let (one, other) = (
        login(&router, "ada@example.com").await,
        login(&router, "ada@example.com").await,
    );
    let given = json!({"refresh_token": one["refresh_token"]});
    let token = one["access_token"].as_str();
    let asked = (Method::POST, "/api/v1/auth/logout", token, given.clone());
    assert_eq!(ask(&router, asked).await.0, StatusCode::NO_CONTENT);
    assert_eq!(
        post(&router, "refresh", given).await.0,
        StatusCode::UNAUTHORIZED
    );
    let given = json!({"refresh_token": other["refresh_token"]});
    assert_eq!(post(&router, "refresh", given).await.0, StatusCode::OK);
    assert_eq!(me(&router, &other).await.0, StatusCode::OK);
}

#[tokio::test]
async fn taken_address_is_answered_like_a_free_one() {
    let router = router().await;
    let free = register(&router, "Ada@example.com").await;
    let taken = register(&router, "ada@EXAMPLE.com").await;
    assert_eq!(free.0, StatusCode::ACCEPTED);
    assert_eq!(free, taken);
    let (status, profile) = me(&router, &login(&router, " ADA@example.com ").await).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(profile["email"], "Ada@example.com");
    assert_eq!(profile["email_verified"], false);
}

#[tokio::test]
async fn wrong_password_and_unknown_address_are_answered_alike() {
    let router = router().await;
    register(&router, "ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let body = json!({"email": email, "password": "another"});
        let (status, problem) = post(&router, "login", body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(problem["type"], "/problems/invalid-credentials");
    }
}

#[tokio::test]
async fn ten_refreshes_at_once_get_the_same_successor() {
    let router = router().await;
    register(&router, "ada@example.com").await;
    let first = json!({"refresh_token": login(&router, "ada@example.com").await["refresh_token"]});
    let refreshes = (0..10).map(|_| post(&router, "refresh", first.clone()));
    let pairs = futures::future::join_all(refreshes).await;
    for (status, pair) in &pairs {
        assert_eq!(*status, StatusCode::OK, "{pair}");
        assert_eq!(pair["refresh_token"], pairs[0].1["refresh_token"]);
        assert_ne!(pair["refresh_token"], first["refresh_token"]);
    }
}

#[tokio::test]
async fn strange_token_of_a_family_ends_it() {
    let router = router().await;
    register(&router, "ada@example.com").await;
    let good = login(&router, "ada@example.com").await["refresh_token"].clone();
    let strange = format!("{}AAAA", &good.as_str().unwrap()[..82]);
    for token in [json!(strange), good] {
        let (status, _) = post(&router, "refresh", json!({"refresh_token": token})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn logout_all_ends_every_session_and_older_access_tokens() {
    let router = router().await;
    register(&router, "ada@example.com").await;
    let pair = login(&router, "ada@example.com").await;
    let token = pair["access_token"].as_str();
    let asked = (Method::POST, "/api/v1/auth/logout-all", token, Value::Null);
    assert_eq!(ask(&router, asked).await.0, StatusCode::NO_CONTENT);
    assert_eq!(me(&router, &pair).await.0, StatusCode::UNAUTHORIZED);
    let body = json!({"refresh_token": pair["refresh_token"]});
    let (status, _) = post(&router, "refresh", body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let again = login(&router, "ada@example.com").await;
    assert_eq!(me(&router, &again).await.0, StatusCode::OK);
}

#[tokio::test]
async fn every_sample_event_is_answered() {
    let router = router().await;
    for (name, expected) in [
        ("register", 202),
        ("register-weak", 422),
        ("login", 200),
        ("refresh", 401),
        ("logout", 401),
        ("logout-all", 401),
        ("verify-email", 422),
        ("resend", 202),
        ("me", 401),
        ("change-me", 401),
        ("sessions", 401),
        ("end-session", 401),
        ("jwks", 200),
        ("forgot-password", 202),
        ("reset-password", 422),
        ("change-password", 401),
        ("set-up-totp", 401),
        ("confirm-totp", 401),
        ("step-up", 401),
        ("put-role", 401),
        ("delete-me", 401),
    ] {
        let path = format!("{}/../events/auth-{name}.json", env!("CARGO_MANIFEST_DIR"));
        let event = std::fs::read_to_string(path).unwrap();
        let request = lambda_http::request::from_str(&event).unwrap();
        let (status, body) = answer(&router, request.map(Body::new)).await;
        assert_eq!(status.as_u16(), expected, "{name}: {body}");
    }
}
