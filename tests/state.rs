//! States for functions that run inside of the tests.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use shared::config::Config;
use shared::state::AppState;

use crate::{Stack, TestDatabase};

/// Nobody listens there: the port is privileged and belongs to `discard`.
pub const NOWHERE: &str = "http://127.0.0.1:9";

/// A state whose AWS is at `endpoint`, with `variables` beside the least that is needed.
///
/// # Panics
/// The variables are no configuration.
pub fn offline(endpoint: &str, variables: &[(&str, &str)]) -> AppState {
    let least = [
        ("STAGE", "test"),
        ("DB_HOSTS", "127.0.0.1:9"),
        ("DB_SSLMODE", "disable"),
        ("STRIPE_BASE_URL", NOWHERE),
        ("TOKEN_ISSUER", "https://shop.example"),
        ("TOKEN_AUDIENCE", "shop"),
        ("CARTS_TABLE", "carts"),
        ("SESSIONS_TABLE", "sessions"),
        ("ORDERS_QUEUE_URL", "http://127.0.0.1:9/orders"),
        ("MAIL_QUEUE_URL", "http://127.0.0.1:9/mail"),
        ("MEDIA_BUCKET", "media"),
        ("MEDIA_BASE_URL", "http://127.0.0.1:9/media"),
        ("SHOP_URL", "https://shop.example"),
        ("MAIL_FROM", "shop@shop.example"),
    ];
    let variables: BTreeMap<String, String> = least
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    AppState::assemble(Config::parse(variables).unwrap(), aws(endpoint))
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

/// A state as `function` has it on the running stack, with a database of its own.
/// What it would send to queues stays in the outbox.
///
/// # Panics
/// There is no stack.
pub async fn state(function: &str) -> AppState {
    let stack = Stack::running();
    let database = TestDatabase::create().await;
    let node = |name: &str| {
        format!(
            "{}:{}",
            stack.database[name].host, stack.database[name].port
        )
    };
    let hosts = ["primary", "replica", "fallback"].map(node).join(",");
    let variables = [
        ("STAGE", "local"),
        ("DB_HOSTS", &hosts),
        ("DB_NAME", database.name()),
        ("DB_SECRET_ID", &format!("holdfast/local/db/{function}")),
        ("STRIPE_BASE_URL", &stack.payments_url),
        ("CARTS_TABLE", "holdfast-local-carts"),
        ("SESSIONS_TABLE", "holdfast-local-sessions"),
        ("MAIL_FROM", "Holdfast <orders@holdfast.example>"),
    ];
    let state = offline(&stack.aws_endpoint_url, &variables);
    // It goes with the stack: the state may outlive this function.
    std::mem::forget(database);
    state
}
