//! A state that reaches nothing but what a test puts at its endpoint, and events sent through a router.

use std::collections::BTreeMap;
use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use shared::config::Config;
use shared::state::{AppState, Parts};
use tower::ServiceExt;

/// Nobody listens there: the port is privileged and belongs to `discard`.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// A state whose AWS is at `endpoint`, with `variables` beside the least that is needed.
pub(crate) fn state<P: Parts>(endpoint: &str, variables: &[(&str, &str)]) -> AppState<P> {
    let least = [
        ("STAGE", "test"),
        ("DB_HOSTS", "127.0.0.1:9"),
        ("DB_SSLMODE", "disable"),
        ("STRIPE_BASE_URL", NOWHERE),
        ("TOKEN_ISSUER", "https://shop.example"),
        ("TOKEN_AUDIENCE", "shop"),
        ("CARTS_TABLE", "carts"),
        ("CONTROL_TABLE", "control"),
        ("WARM_TARGETS", "[]"),
        ("INTENTS_TABLE", "intents"),
        ("SESSIONS_TABLE", "sessions"),
        ("LIMITS_TABLE", "limits"),
        ("LIMIT_PER_USER", "100000"),
        ("LIMIT_PER_ADDRESS", "100000"),
        ("ORDERS_QUEUE_URL", "http://127.0.0.1:9/orders"),
        ("MAIL_QUEUE_URL", "http://127.0.0.1:9/mail"),
        ("CATALOGUE_QUEUE_URL", "http://127.0.0.1:9/catalogue"),
        ("ANALYTICS_QUEUE_URL", "http://127.0.0.1:9/analytics"),
        ("MEDIA_BUCKET", "media"),
        ("CATALOGUE_BUCKET", "catalogue"),
        ("MEDIA_BASE_URL", "http://127.0.0.1:9/media"),
        ("SHOP_URL", "https://shop.example"),
        ("MAIL_FROM", "shop@shop.example"),
        ("MAIL_IDENTITY", "shop.example"),
    ];
    let variables: BTreeMap<String, String> = least
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    AppState::assemble(P::Config::parse(variables).unwrap(), &aws(endpoint))
}

fn aws(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build()
}

/// Sends the API event in `events/<name>` through `router`.
pub(crate) async fn replay(router: Router, name: &str) -> Response {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../events")
        .join(name);
    let event = std::fs::read_to_string(path).unwrap();
    let request = lambda_http::request::from_str(&event).unwrap();
    router.oneshot(request.map(body)).await.unwrap()
}

fn body(body: lambda_http::Body) -> Body {
    match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    }
}
