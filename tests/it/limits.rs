//! Rate limits: in this process with small ones against the stack's table, and through the front
//! with the deployed programs.

use crate::offline::{self, NOWHERE};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use local::stack::STAGE;
use serde_json::{Value, json};
use shared::config::AuthConfig;
use shared::domain::accounts::Email;
use shared::domain::limits::{Allowance, Bucket, Class, Holder, Network, Quota};
use shared::state::{AppState, Auth};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tests::Stack;
use tests::client::{Answer, read};
use tower::ServiceExt;
use uuid::Uuid;

const PASSWORD: &str = "tr0mbone&Kelp";

/// What a request is made of: method, path, the address that the gateway saw, token, body.
type Asked<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Value);

/// A network that no other test and no earlier run has.
fn new_network() -> String {
    let [a, b, c, d, ..] = Uuid::new_v4().into_bytes();
    format!("2001:db8:{a:02x}{b:02x}:{c:02x}{d:02x}::1")
}

/// As the gateway hands a request over. What the client says of its address is made up.
async fn ask(router: &Router, (method, path, from, token, body): Asked<'_>) -> Answer {
    let sample = crate::tidy::read("events/auth-login.json");
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    let made_up = new_network();
    event["rawPath"] = json!(format!("/api/v1{path}"));
    event["headers"]["x-forwarded-for"] = json!(made_up);
    event["headers"]["forwarded"] = json!(format!("for=\"[{made_up}]\""));
    event["headers"]["x-real-ip"] = json!(made_up);
    if let Some(token) = token {
        event["headers"]["authorization"] = json!(format!("Bearer {token}"));
    }
    event["requestContext"]["http"]["method"] = json!(method);
    event["requestContext"]["http"]["sourceIp"] = json!(from);
    event["body"] = json!(body.to_string());
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let request = request.map(|body| Body::from(body.to_vec()));
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

/// Requests that cost nothing: the limit is judged before the body, which is not valid.
async fn sign_in_badly(router: &Router, from: &str) -> Answer {
    ask(router, ("POST", "/auth/login", from, None, json!({}))).await
}

async fn sign_in(router: &Router, email: &str, password: &str, from: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    ask(router, ("POST", "/auth/login", from, None, body)).await
}

#[track_caller]
fn is(answer: Answer, status: u16) {
    drop(answer.expect(status));
}

async fn register(router: &Router, email: &str) {
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    let from = new_network();
    is(
        ask(router, ("POST", "/auth/register", &from, None, body)).await,
        202,
    );
}

fn new_email() -> String {
    format!("{}@example.com", Uuid::new_v4().simple())
}

/// The deployed configuration of `auth` with other limits.
async fn config(per_user: u32, per_address: u32) -> AuthConfig {
    let mut config = tests::state::<Auth>().await.config.clone();
    config.edge.allowance = Allowance {
        per_user,
        per_address,
    };
    config
}

async fn environment(config: &AuthConfig) -> Router {
    let state = AppState::<Auth>::build(config.clone()).await;
    // A busy machine may be too slow for the first call, and then counts alone for a while.
    while !state.limits.warm_up().await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    auth::router(state)
}

#[tokio::test]
async fn environments_share_one_budget() {
    let config = config(100, 4).await;
    let (one, other) = (environment(&config).await, environment(&config).await);
    let from = new_network();
    for (router, left) in [(&one, 3), (&other, 2), (&other, 1), (&one, 0)] {
        let answer = sign_in_badly(router, &from).await.expect(422);
        assert_eq!(answer.header("ratelimit-policy"), r#""sign-in";q=4;w=60"#);
        let state = format!(r#""sign-in";r={left};t="#);
        assert!(answer.header("ratelimit").starts_with(&state), "{answer:?}");
    }
    for router in [&other, &one] {
        let refused = sign_in_badly(router, &from).await.expect(429);
        assert_eq!(refused.problem(), "rate-limited");
        let pause: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=15).contains(&pause), "{pause}");
        let state = format!(r#""sign-in";r=0;t={pause}"#);
        assert_eq!(refused.header("ratelimit"), state);
    }
    is(sign_in_badly(&one, &new_network()).await, 422);
}

#[tokio::test]
async fn many_at_once_get_the_budget_and_little_more() {
    let config = config(100, 5).await;
    let environments = [
        environment(&config).await,
        environment(&config).await,
        environment(&config).await,
    ];
    let from = new_network();
    let requests = (0..30).map(|number| sign_in_badly(&environments[number % 3], &from));
    let answers = futures::future::join_all(requests).await;
    let admitted = answers.iter().filter(|answer| answer.status == 422).count();
    // Should the table be too slow for one, its environment counts it alone.
    assert!(
        (5..=15).contains(&admitted),
        "{admitted} of 30 came through"
    );
    for environment in &environments {
        is(sign_in_badly(environment, &from).await, 429);
    }
}

#[tokio::test]
async fn environment_holds_the_limit_alone_while_the_table_is_away() {
    let limits = [("LIMIT_PER_ADDRESS", "4")];
    let environment = || auth::router(offline::state(NOWHERE, &limits));
    let (one, other) = (environment(), environment());
    let from = new_network();
    let begin = Instant::now();
    for router in [&one, &other] {
        for _ in 0..4 {
            is(sign_in_badly(router, &from).await, 422);
        }
        is(sign_in_badly(router, &from).await, 429);
        is(sign_in_badly(router, &new_network()).await, 422);
    }
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn made_up_token_counts_on_its_sender_and_not_on_the_account() {
    let config = config(5, 3).await;
    let router = environment(&config).await;
    let email = new_email();
    register(&router, &email).await;
    let pair = sign_in(&router, &email, PASSWORD, &new_network()).await;
    let token = pair.expect(200).body["access_token"].to_string();
    let token = token.trim_matches('"');
    // The account's own claims under a signature that is not ours.
    let (claims, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{claims}.{}", signature.chars().rev().collect::<String>());
    let me = |from: String, token| {
        let router = router.clone();
        async move {
            ask(
                &router,
                ("GET", "/auth/me", &from, Some(token), Value::Null),
            )
            .await
        }
    };
    let attacker = new_network();
    for _ in 0..3 {
        is(me(attacker.clone(), &forged).await, 401);
    }
    is(me(attacker.clone(), &forged).await, 429);
    // Even from the attacker's address the account has its whole budget, and the same from any.
    for from in [attacker, new_network(), new_network(), new_network()] {
        let answer = me(from, token).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=5;w=60"#);
    }
    is(me(new_network(), token).await, 200);
    is(me(new_network(), token).await, 429);
}

#[tokio::test]
async fn failed_sign_ins_are_counted_alike_for_known_and_unknown_accounts() {
    let config = config(100, 6).await;
    let router = environment(&config).await;
    let known = new_email();
    register(&router, &known).await;
    for email in [known.clone(), new_email()] {
        let from = new_network();
        for _ in 0..3 {
            let answer = sign_in(&router, &email, "another", &from).await.expect(401);
            assert_eq!(answer.problem(), "invalid-credentials");
        }
        let refused = sign_in(&router, &email, PASSWORD, &from).await.expect(429);
        let pause: u64 = refused.header("retry-after").parse().unwrap();
        assert!((200..=300).contains(&pause), "{pause}");
    }
    // The owner is somewhere else, and is not kept out; success is not counted.
    let home = new_network();
    for _ in 0..5 {
        is(sign_in(&router, &known, PASSWORD, &home).await, 200);
    }
}

#[tokio::test]
async fn success_clears_the_failures_of_its_address() {
    let config = config(100, 8).await;
    let (one, other) = (environment(&config).await, environment(&config).await);
    let (email, from) = (new_email(), new_network());
    register(&one, &email).await;
    for _ in 0..3 {
        is(sign_in(&one, &email, "another", &from).await, 401);
    }
    is(sign_in(&one, &email, PASSWORD, &from).await, 200);
    for _ in 0..3 {
        is(sign_in(&other, &email, "another", &from).await, 401);
    }
}

/// Whether the owner can still try at home after their account was tried from everywhere. Not so
/// when the table was too slow for one of the steps: then the environment knows only what it saw.
async fn owner_is_free_at_home() -> bool {
    let config = config(100, 6).await;
    let router = environment(&config).await;
    let (email, home) = (new_email(), new_network());
    register(&router, &email).await;
    is(sign_in(&router, &email, PASSWORD, &home).await, 200);
    for _ in 0..10 {
        let attacker = new_network();
        for _ in 0..3 {
            is(sign_in(&router, &email, "another", &attacker).await, 401);
        }
    }
    // Strangers have fewer tries now,
    let stranger = new_network();
    is(sign_in(&router, &email, "another", &stranger).await, 401);
    is(sign_in(&router, &email, "another", &stranger).await, 429);
    // but still one, and where the owner signed in before nothing has changed.
    is(
        sign_in(&router, &email, PASSWORD, &new_network()).await,
        200,
    );
    let mut free = true;
    for _ in 0..3 {
        free &= sign_in(&router, &email, "another", &home).await.status == 401;
    }
    free
}

#[tokio::test]
async fn account_tried_from_everywhere_is_never_locked() {
    for _ in 0..4 {
        if owner_is_free_at_home().await {
            return;
        }
        // Longer than an environment leaves a slow table alone.
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    panic!("the owner was locked out at home each time");
}

/// A row of the deployed table, asked of the emulator, which looks only at whose key it is.
async fn row(stack: &Stack, bucket: &Bucket) -> Value {
    let identity = format!(
        "AWS4-HMAC-SHA256 Credential={}/20260101/{}/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        local::aws::ACCESS_KEY,
        local::aws::REGION
    );
    let body = json!({
        "TableName": format!("holdfast-{STAGE}-limits"),
        "Key": {"id": {"S": bucket.id}},
        "ConsistentRead": true,
    });
    let request = reqwest::Client::new()
        .post(&stack.aws_endpoint_url)
        .header("authorization", identity)
        .header("x-amz-target", "DynamoDB_20120810.GetItem")
        .header("content-type", "application/x-amz-json-1.0")
        .body(body.to_string());
    read(request).await.expect(200).body["Item"].clone()
}

fn bucket(class: Class, address: Ipv4Addr) -> Bucket {
    let allowance = Allowance {
        per_user: 1,
        per_address: 1,
    };
    let holder = Holder::Address(Network::from(IpAddr::V4(address)));
    class.policy(allowance).bucket(STAGE, holder)
}

/// The front hears us at a loopback address of our own; the other is only ever claimed.
#[tokio::test]
async fn client_is_known_by_the_gateways_word_alone() {
    let stack = Stack::running();
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    let (real, claimed) = (
        Ipv4Addr::new(127, a, b, c | 1),
        Ipv4Addr::new(198, 18, a, b),
    );
    let http = reqwest::Client::builder()
        .local_address(IpAddr::V4(real))
        .build()
        .unwrap();
    for (path, class) in [
        ("/auth/login", Class::SignIn),
        ("/auth/refresh", Class::Session),
        ("/checkout", Class::Checkout),
        ("/products", Class::Default),
    ] {
        let request = http
            .post(stack.url(&format!("/api/v1{path}")))
            .header("x-forwarded-for", claimed.to_string())
            .header("forwarded", format!("for={claimed}"))
            .header("x-real-ip", claimed.to_string())
            .header("x-holdfast-client-address", claimed.to_string())
            .json(&json!({}));
        let answer = read(request).await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
        assert!(answer.header("ratelimit-policy").contains("q="), "{path}");
        let counted = row(&stack, &bucket(class, real)).await;
        assert!(counted["arrival_us"]["N"].is_string(), "{path}: {counted}");
        assert_eq!(row(&stack, &bucket(class, claimed)).await, Value::Null);
    }
}

#[tokio::test]
async fn deployed_sign_in_remembers_where_it_succeeded() {
    let stack = Stack::running();
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    let address = IpAddr::V4(Ipv4Addr::new(127, a, b, c | 1));
    let http = reqwest::Client::builder()
        .local_address(address)
        .build()
        .unwrap();
    let customer = &stack.accounts.customer;
    let body = json!({"email": customer.email, "password": customer.password});
    let request = http.post(stack.url("/api/v1/auth/login")).json(&body);
    is(read(request).await, 200);
    let email = Email::try_from(customer.email.clone()).unwrap();
    let network = Network::from(address).key();
    let known = Bucket::new(STAGE, "known", &[email.key(), &network], Quota::new(1, 1));
    assert!(row(&stack, &known).await["expires_at"]["N"].is_string());
}

#[tokio::test]
async fn catalogue_and_health_are_not_counted_on_the_table() {
    let stack = Stack::running();
    for path in ["/products", "/categories", "/health"] {
        let answer = read(reqwest::Client::new().get(stack.url(&format!("/api/v1{path}")))).await;
        let answer = answer.expect(200);
        assert_eq!(answer.header("ratelimit"), "", "{path}");
    }
}
