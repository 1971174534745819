//! Who may read the private keys, tried with the credentials of the functions' own roles.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Credentials;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use local::stack::STAGE;
use serde_json::json;
use tests::environment::variables;
use tests::shop::Shop;
use tests::{Stack, TestSecrets};

/// Secrets Manager with the rights of a function that runs.
async fn as_function(function: &str) -> Option<Client> {
    let variables = variables(function)?;
    let of = |name: &str| variables.get(name).cloned();
    let credentials = Credentials::new(
        of("AWS_ACCESS_KEY_ID")?,
        of("AWS_SECRET_ACCESS_KEY")?,
        of("AWS_SESSION_TOKEN"),
        None,
        "a function's role",
    );
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(Region::new(local::aws::REGION))
        .endpoint_url(Stack::running().aws_endpoint_url);
    Some(Client::new(&settings.load().await))
}

/// The error code, or nothing when it is read.
async fn refusal(client: &Client, id: &str) -> Option<String> {
    let read = client.get_secret_value().secret_id(id).send().await;
    let error = read.err()?;
    Some(error.as_service_error()?.code()?.to_owned())
}

#[tokio::test]
async fn only_auth_and_the_rotator_may_read_private_keys() {
    let stack = Stack::running();
    // So that each of them runs.
    let shop = Shop::open().await;
    for path in ["/products", "/orders", "/health"] {
        let _ = shop.customer.get(path).await.expect(200);
    }
    let rotator = format!("/2015-03-31/functions/holdfast-{STAGE}-key-rotator/invocations");
    let _ = stack
        .aws("lambda", reqwest::Method::POST, &rotator)
        .body("{}")
        .send()
        .await
        .unwrap();
    let (private, public) = (
        format!("holdfast/{STAGE}/jwt-private"),
        format!("holdfast/{STAGE}/jwt-public"),
    );
    for function in ["auth", "key-rotator"] {
        let client = as_function(function).await.expect(function);
        assert_eq!(refusal(&client, &private).await, None, "{function}");
    }
    for function in ["products", "checkout", "ops"] {
        let client = as_function(function).await.expect(function);
        let refused = refusal(&client, &private).await;
        assert_eq!(
            refused.as_deref(),
            Some("AccessDeniedException"),
            "{function}"
        );
        assert_eq!(refusal(&client, &public).await, None, "{function}");
    }
    let client = as_function("key-rotator").await.unwrap();
    for other in ["session-key", "stripe"] {
        let refused = refusal(&client, &format!("holdfast/{STAGE}/{other}")).await;
        assert_eq!(refused.as_deref(), Some("AccessDeniedException"), "{other}");
    }
}

#[tokio::test]
async fn no_function_but_the_rotator_may_change_a_secret() {
    let _ = Shop::open().await;
    let auth = as_function("auth").await.unwrap();
    let id = format!("holdfast/{STAGE}/jwt-private");
    let put = auth.put_secret_value().secret_id(&id);
    let refused = put
        .secret_string(json!({}).to_string())
        .send()
        .await
        .unwrap_err();
    let code = refused.as_service_error().and_then(|error| error.code());
    assert_eq!(code, Some("AccessDeniedException"));
    let own = TestSecrets::open().await;
    assert!(own.value(&id).await["current"]["kid"].is_string());
}
