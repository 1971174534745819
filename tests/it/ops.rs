//! `ops`, by its events, with everything outside gone.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt;
use ops::{Condition, Health, Readiness};
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::offline::{NOWHERE, replay, state};

fn router() -> Router {
    ops::router(state(NOWHERE, &[]))
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn body(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn get(path: &str, if_none_match: &str) -> Response {
    let request = Request::get(path).header("if-none-match", if_none_match);
    let request = request.body(Body::empty()).unwrap();
    router().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn health_needs_nothing() {
    let response = replay(router(), "ops-health.json").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "cache-control"), "no-store");
    let health: Health = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!(health.status, "ok");
}

#[tokio::test]
async fn readiness_with_everything_gone_is_told_check_by_check() {
    let response = replay(router(), "ops-ready.json").await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert!(header(&response, "retry-after").parse::<u32>().unwrap() > 0);
    let text = body(response).await;
    assert!(
        !text.contains("127.0.0.1"),
        "hosts are nobody's business: {text}"
    );
    let readiness: Readiness = serde_json::from_str(&text).unwrap();
    assert_eq!(readiness.status, Condition::Unhealthy);
    assert_eq!(readiness.score, "0/8");
    assert_eq!(readiness.schema_version, None);
    for name in [
        "database_primary",
        "dynamodb",
        "sqs",
        "s3",
        "secretsmanager",
        "payments",
        "mail",
    ] {
        let check = &readiness.checks[name];
        assert_eq!(check.status, Condition::Unhealthy, "{name}");
        assert!(check.detail.is_some(), "{name}");
    }
    // Whoever cannot be asked was not missed.
    let schedules = &readiness.checks["schedules"];
    assert_eq!(schedules.status, Condition::Degraded);
    assert!(schedules.detail.is_some());
    // Asking whether it is there is no call that a breaker counts.
    for name in ["dynamodb", "sqs", "s3", "payments"] {
        assert_eq!(readiness.checks[name].breaker, "closed", "{name}");
    }
}

#[tokio::test]
async fn second_endpoints_are_shown_when_there_are_any() {
    let variables = [
        ("SECRETS_SECONDARY_REGION", "eu-west-1"),
        ("SECRETS_SECONDARY_ENDPOINT_URL", NOWHERE),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", "9"),
    ];
    let response = replay(ops::router(state(NOWHERE, &variables)), "ops-ready.json").await;
    let readiness: Readiness = serde_json::from_str(&body(response).await).unwrap();
    assert_eq!(readiness.score, "0/10");
    for name in ["secretsmanager_secondary", "mail", "mail_secondary"] {
        let detail = readiness.checks[name].detail.as_deref();
        assert_eq!(detail, Some("cannot be reached"), "{name}");
    }
}

/// AWS and the payment provider, where all answer and one refuses.
async fn everything_outside(request: Request) -> (StatusCode, String) {
    let target = request.headers().get("x-amz-target");
    let target = target.map_or("", |value| value.to_str().unwrap());
    match (request.method().as_str(), request.uri().path()) {
        ("HEAD", "/media/") => (StatusCode::FORBIDDEN, String::new()),
        ("GET", "/v1/balance") => (StatusCode::UNAUTHORIZED, "{}".to_owned()),
        ("GET", "/v2/email/identities/shop.example") => (StatusCode::OK, "{}".to_owned()),
        ("POST", _) if target == "DynamoDB_20120810.DescribeTable" => {
            let error =
                json!({"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"});
            (StatusCode::BAD_REQUEST, error.to_string())
        }
        ("POST", _) if target == "DynamoDB_20120810.Scan" => {
            (StatusCode::OK, json!({"Items": []}).to_string())
        }
        ("POST", _) if target == "secretsmanager.GetSecretValue" => {
            let login = json!({"username": "ops", "password": "secret"}).to_string();
            (StatusCode::OK, json!({"SecretString": login}).to_string())
        }
        ("POST", _) if target == "AmazonSQS.GetQueueAttributes" => {
            (StatusCode::OK, "{}".to_owned())
        }
        other => panic!("{other:?} {target}"),
    }
}

#[tokio::test]
async fn what_refuses_or_lacks_its_table_counts_as_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let queue = format!("{endpoint}/orders");
    let variables = [
        ("STRIPE_BASE_URL", endpoint.as_str()),
        ("ORDERS_QUEUE_URL", &queue),
    ];
    let router = ops::router(state(&endpoint, &variables));
    let outside = Router::new().fallback(everything_outside);
    let response = tokio::select! {
        served = axum::serve(listener, outside) => panic!("{served:?}"),
        response = replay(router, "ops-ready.json") => response,
    };
    let readiness: Readiness = serde_json::from_str(&body(response).await).unwrap();
    for name in ["sqs", "secretsmanager", "payments", "mail"] {
        let check = &readiness.checks[name];
        assert_eq!(check.status, Condition::Healthy, "{name}: {check:?}");
    }
    let s3 = &readiness.checks["s3"];
    assert_eq!(s3.status, Condition::Unhealthy);
    assert_eq!(s3.detail.as_deref(), Some("access is denied"));
    let dynamodb = &readiness.checks["dynamodb"];
    assert_eq!(dynamodb.status, Condition::Unhealthy);
    assert_eq!(
        dynamodb.detail.as_deref(),
        Some("ResourceNotFoundException")
    );
    // The login is there now; the node is not.
    let primary = &readiness.checks["database_primary"];
    assert_eq!(primary.detail.as_deref(), Some("no node accepts writes"));
    assert_eq!(readiness.score, "4/8");
}

#[tokio::test]
async fn contract_is_served_and_known_by_its_tag() {
    let response = replay(router(), "ops-openapi.json").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), "application/json");
    let tag = header(&response, "etag").to_owned();
    let served = body(response).await;
    assert_eq!(
        served,
        std::fs::read_to_string(tests::openapi::PATH).unwrap()
    );
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let response = get("/api/v1/openapi.json", &known).await;
        assert_eq!(response.status(), 304, "{known}");
        assert_eq!(header(&response, "etag"), tag);
        assert!(body(response).await.is_empty());
    }
    assert_eq!(get("/api/v1/openapi.json", "\"other\"").await.status(), 200);
}

#[tokio::test]
async fn page_loads_only_what_is_served_here() {
    let response = replay(router(), "ops-docs.json").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    let policy = header(&response, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
    assert!(!policy.contains("unsafe"));
    let page = body(response).await;
    assert!(!page.contains("://"), "nothing is loaded from elsewhere");
    let parts: Vec<&str> = page
        .split('"')
        .filter(|text| text.starts_with("/docs/") && !text.ends_with('/'))
        .collect();
    assert!(parts.len() >= 2, "{parts:?}");
    for part in parts {
        let response = get(part, "").await;
        assert_eq!(response.status(), 200, "{part}");
        assert!(header(&response, "content-type").starts_with("text/"));
        let text = body(response).await;
        assert!(!text.contains("innerHTML"), "{part} must set text as text");
        for import in text.lines().filter(|line| line.starts_with("import ")) {
            let file = import
                .rsplit("\"./")
                .next()
                .unwrap()
                .trim_end_matches("\";");
            assert_eq!(
                get(&format!("/docs/{file}"), "").await.status(),
                200,
                "{import}"
            );
        }
    }
}

#[tokio::test]
async fn page_and_its_parts_stay_small() {
    let mut total = 0;
    for path in [
        "/docs",
        "/docs/app.js",
        "/docs/dom.js",
        "/docs/schema.js",
        "/docs/try.js",
        "/docs/style.css",
    ] {
        total += body(get(path, "").await).await.len();
    }
    assert!(total < 40_000, "{total} bytes");
}

#[tokio::test]
async fn route_that_no_function_takes_is_a_problem() {
    let response = replay(router(), "ops-unknown-route.json").await;
    assert_eq!(response.status(), 404);
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    assert_eq!(get("/docs/nothing.js", "").await.status(), 404);
}
