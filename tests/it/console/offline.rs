//! The pages for when everything is gone, with everything gone.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::providers::signing::FirstSecrets;
use time::OffsetDateTime;
use tower::ServiceExt;
use uuid::Uuid;

use super::browser::TOKEN;
use crate::offline::{NOWHERE, state};
use crate::security::tokens::Keys;

/// `ops` with nothing but the key that tokens verify with, and an operator's token.
fn alone() -> (Router, String) {
    let now = OffsetDateTime::now_utc();
    let secrets = FirstSecrets::generate(now).unwrap();
    let given = [("JWT_PUBLIC_SECRET", secrets.jwt_public.as_str())];
    let router = ops::router(state(NOWHERE, &given));
    let ring: Value = serde_json::from_str(secrets.jwt_private.expose_secret()).unwrap();
    let now = now.unix_timestamp();
    let claims = json!({
        "iss": "https://shop.example", "aud": "shop", "sub": Uuid::now_v7(), "role": "admin",
        "wallet_id": Uuid::nil(), "email_verified": true, "step_up_until": now + 900,
        "iat": now, "nbf": now, "exp": now + 900, "jti": Uuid::now_v7(),
    });
    (router, Keys::sign_with(&ring["current"], &claims))
}

/// A page with its status.
async fn page(method: &str, path: &str) -> (u16, String) {
    let (router, token) = alone();
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("cookie", format!("{TOKEN}={token}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from("enabled=false&reason=a+test"))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn overview_says_of_each_part_that_it_cannot_be_had() {
    let (status, page) = page("GET", "/console").await;
    assert_eq!(status, 200, "{page}");
    for said in [
        "The shop cannot sell:",
        "The kill switches cannot be read right now.",
        "The dead letters cannot be read right now",
        "orders-dlq",
        "not known",
    ] {
        assert!(page.contains(said), "{said} is not said: {page}");
    }
    assert!(!page.contains("127.0.0.1"), "hosts are nobody's business");
}

#[tokio::test]
async fn switches_are_shown_as_far_as_they_are_known() {
    let (status, page) = page("GET", "/console/switches").await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("The kill switches cannot be read or moved right now"));
    assert!(page.contains("database_primary"), "{page}");
}

#[tokio::test]
async fn what_cannot_be_done_is_a_page_and_no_problem() {
    let (status, shown) = page("POST", "/console/switches/search").await;
    assert_eq!(status, 503, "{shown}");
    assert!(shown.contains("Not available right now"), "{shown}");
    let (status, shown) = page("GET", "/console/nothing").await;
    assert_eq!(status, 404, "{shown}");
    let (status, shown) = page("DELETE", "/console/switches").await;
    assert_eq!(status, 405, "{shown}");
}
