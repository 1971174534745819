//! The edge as a whole: whatever goes wrong, the answer has the same shape.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{ApiError, Json, PageQuery, Path, Query, User, service};
use crate::config::{AuthConfig, Config, tests};
use crate::state::{AppState, Auth};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    note: String,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    quantity: u32,
}

/// A state that reaches nothing.
fn state() -> AppState<Auth> {
    let mut variables = tests::complete();
    let origins = "https://shop.example,https://admin.example".to_owned();
    variables.insert("CORS_ALLOWED_ORIGINS".to_owned(), origins);
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .build();
    AppState::assemble(AuthConfig::parse(variables).unwrap(), &aws)
}

fn router() -> Router {
    let routes = Router::new()
        .route("/orders", get(async || "orders"))
        .route("/reduced", get(reduced))
        .route(
            "/orders",
            post(async |Json(order): Json<Order>| Json(order)),
        )
        .route(
            "/orders/{id}",
            get(async |Path(id): Path<uuid::Uuid>| id.to_string()),
        )
        .route(
            "/pages",
            get(async |Query(page): Query<PageQuery>| page.limit().map(|n| n.to_string())),
        )
        .route("/me", get(async |user: User| user.id().to_string()))
        .route("/panic", get(panics))
        .route("/slow", get(std::future::pending::<String>))
        .route(
            "/broken",
            get(async || ApiError::internal("the password is hunter2")),
        )
        .route(
            "/axum",
            post(async |axum::Json(order): axum::Json<Order>| Json(order)),
        )
        .route(
            "/unwritable",
            get(async || Json(BTreeMap::from([([1, 2], "a key that is no text")]))),
        );
    service(routes, state())
}

/// Two things were away: the route itself tells of one of them.
async fn reduced() -> ([(&'static str, &'static str); 1], &'static str) {
    crate::context::degraded("database");
    ([("x-degraded", "sessions")], "less")
}

async fn panics() -> String {
    panic!("the password is hunter2")
}

async fn send(request: Request) -> Response<Body> {
    router().oneshot(request).await.unwrap()
}

fn request(method: Method, path: &str) -> Request {
    let builder = Request::builder().method(method).uri(path);
    builder.body(Body::empty()).unwrap()
}

fn post_json(body: impl Into<Body>) -> Request {
    Request::post("/orders")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

fn head<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// Reads an answer that must be a problem, whole and marked as one.
async fn problem(response: Response<Body>, status: u16, type_: &str) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(head(&response, "content-type"), "application/problem+json");
    let id = head(&response, "x-request-id").to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], format!("/problems/{type_}"));
    assert_eq!(body["status"], status);
    assert!(body["title"].is_string());
    assert_eq!(body["instance"], id);
    if status < 500 {
        assert!(body["detail"].is_string(), "{body}");
    } else {
        assert!(body.get("detail").is_none(), "{body}");
        assert!(!body.to_string().contains("hunter2"));
    }
    body
}

/// The pointer and the reason of the one field at fault.
async fn field_at_fault(body: impl Into<Body>) -> (String, String) {
    let response = send(post_json(body)).await;
    let body = problem(response, 422, "invalid").await;
    let [field] = body["errors"].as_array().unwrap().as_slice() else {
        panic!("{body}")
    };
    let text = |name: &str| field[name].as_str().unwrap().to_owned();
    (text("pointer"), text("reason"))
}

#[tokio::test]
async fn unknown_path_is_a_problem_for_every_method() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let response = send(request(method, "/nowhere")).await;
        problem(response, 404, "not-found").await;
    }
    let response = send(request(Method::GET, "/orders/not-an-id")).await;
    problem(response, 404, "not-found").await;
    let response = send(request(Method::GET, "/orders/%FF")).await;
    problem(response, 404, "not-found").await;
}

#[tokio::test]
async fn other_method_is_told_which_ones_there_are() {
    let response = send(request(Method::DELETE, "/orders")).await;
    let allowed = head(&response, "allow").to_owned();
    for method in ["GET", "HEAD", "POST"] {
        assert!(allowed.split(',').any(|name| name == method), "{allowed}");
    }
    problem(response, 405, "method-not-allowed").await;
}

#[tokio::test]
async fn body_over_the_limit_is_refused() {
    let note = "x".repeat(256 * 1024);
    let body = json!({"note": note, "lines": []}).to_string();
    problem(send(post_json(body)).await, 413, "too-large").await;
    let below = json!({"note": "x".repeat(255 * 1024), "lines": []}).to_string();
    assert_eq!(send(post_json(below)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn body_that_is_not_declared_as_json_is_refused() {
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        let mut request = post_json("{}");
        let value = content_type.parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, value);
        problem(send(request).await, 415, "unsupported-media-type").await;
    }
    let mut request = post_json(r#"{"note": "", "lines": []}"#);
    let value = "application/json; charset=utf-8".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, value);
    assert_eq!(send(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn body_that_is_not_json_is_unreadable() {
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 6] = [
        b"",
        b"{",
        b"{} {}",
        b"{\"note\": \"\xff\xfe\"}",
        b"{\"note\": 1e999}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let response = send(post_json(body.to_vec())).await;
        let problem = problem(response, 400, "unreadable").await;
        assert!(problem["detail"].is_string());
    }
}

#[tokio::test]
async fn field_at_fault_is_pointed_at() {
    let line = |line: Value| json!({"note": "", "lines": [{"sku": "A", "quantity": 1}, line]});
    let cases = [
        (json!({"note": ""}), "/lines"),
        (json!({"note": 1, "lines": []}), "/note"),
        (json!({"note": "", "lines": {}}), "/lines"),
        (json!({"note": "", "lines": [], "a/b~c": 1}), "/a~1b~0c"),
        (line(json!({"sku": "B"})), "/lines/1/quantity"),
        (
            line(json!({"sku": "B", "quantity": "two"})),
            "/lines/1/quantity",
        ),
        (
            line(json!({"sku": "B", "quantity": -1})),
            "/lines/1/quantity",
        ),
        (
            line(json!({"sku": "B", "quantity": 1, "price": 1})),
            "/lines/1/price",
        ),
        (line(json!(null)), "/lines/1"),
    ];
    for (body, pointer) in cases {
        let (at, reason) = field_at_fault(body.to_string()).await;
        assert_eq!(at, pointer, "{body}");
        assert!(!reason.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn body_that_is_no_object_is_invalid() {
    for body in [
        "[]",
        "null",
        "1",
        "\"text\"",
        "[{\"note\": \"\", \"lines\": []}]",
    ] {
        assert_eq!(
            field_at_fault(body).await,
            (String::new(), "must be a JSON object".to_owned())
        );
    }
}

#[tokio::test]
async fn parameter_at_fault_is_named() {
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=many",
        "limit=1&limit=2",
    ] {
        let response = send(request(Method::GET, &format!("/pages?{query}"))).await;
        let body = problem(response, 422, "invalid").await;
        assert_eq!(body["errors"][0]["pointer"], "limit", "{query}");
    }
}

#[tokio::test]
async fn rejection_of_another_extractor_is_a_problem_too() {
    for (body, status, type_) in [("{", 400, "unreadable"), ("{}", 422, "invalid")] {
        let mut request = post_json(body);
        *request.uri_mut() = "/axum".parse().unwrap();
        problem(send(request).await, status, type_).await;
    }
}

#[tokio::test]
async fn defect_never_shows_what_broke() {
    for path in ["/panic", "/broken", "/unwritable"] {
        let response = send(request(Method::GET, path)).await;
        problem(response, 500, "internal").await;
    }
}

#[tokio::test(start_paused = true)]
async fn handler_that_hangs_is_cut_off_at_the_deadline() {
    let started = tokio::time::Instant::now();
    let response = send(request(Method::GET, "/slow")).await;
    assert!(
        started.elapsed()
            <= crate::resilience::policies::REQUEST_TIMEOUT + Duration::from_millis(5)
    );
    assert_eq!(head(&response, "retry-after"), "1");
    problem(response, 503, "timeout").await;
}

#[tokio::test]
async fn caller_without_a_token_is_told_how() {
    let response = send(request(Method::GET, "/me")).await;
    assert_eq!(head(&response, "www-authenticate"), "Bearer");
    problem(response, 401, "unauthorized").await;
    let mut request = request(Method::GET, "/me");
    let basic = "Basic dXNlcjpwYXNz".parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    problem(send(request).await, 401, "unauthorized").await;
}

#[tokio::test]
async fn well_formed_request_id_is_kept_and_another_replaced() {
    for (given, kept) in [
        ("trace-0001.a_B", true),
        ("short", false),
        ("with space in it", false),
        ("x\"><script>", false),
    ] {
        let mut request = request(Method::GET, "/orders");
        let value = given.parse().unwrap();
        request.headers_mut().insert("x-request-id", value);
        let response = send(request).await;
        let id = head(&response, "x-request-id");
        assert_eq!(id == given, kept, "{given}");
        assert!(kept || uuid::Uuid::parse_str(id).is_ok());
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    for path in ["/orders", "/nowhere", "/panic", "/me"] {
        let response = send(request(Method::GET, path)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(head(&response, name), value, "{path}");
        }
        assert!(head(&response, "content-security-policy").contains("default-src 'none'"));
        assert!(head(&response, "strict-transport-security").contains("max-age"));
    }
}

#[tokio::test]
async fn everything_that_was_missing_is_named_in_one_header() {
    let request = Request::get("/reduced").body(Body::empty()).unwrap();
    let headers = send(request).await.headers().clone();
    assert_eq!(headers["x-degraded"], "database, sessions");
    let request = Request::get("/orders").body(Body::empty()).unwrap();
    assert!(send(request).await.headers().get("x-degraded").is_none());
}

#[tokio::test]
async fn preflight_of_a_known_origin_is_answered() {
    let preflight = |origin: &str| {
        Request::options("/orders")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "idempotency-key")
            .body(Body::empty())
            .unwrap()
    };
    let response = send(preflight("https://admin.example")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        head(&response, "access-control-allow-origin"),
        "https://admin.example"
    );
    assert!(head(&response, "access-control-allow-methods").contains("POST"));
    assert!(head(&response, "access-control-allow-headers").contains("idempotency-key"));
    let foreign = send(preflight("https://evil.example")).await;
    assert_eq!(head(&foreign, "access-control-allow-origin"), "");
}

#[tokio::test(start_paused = true)]
async fn browsers_may_read_every_answer_that_went_wrong() {
    for path in ["/nowhere", "/panic", "/slow", "/me"] {
        let mut request = request(Method::GET, path);
        let origin = "https://shop.example".parse().unwrap();
        request.headers_mut().insert(header::ORIGIN, origin);
        let response = send(request).await;
        let allowed = head(&response, "access-control-allow-origin");
        assert_eq!(allowed, "https://shop.example", "{path}");
        assert_eq!(head(&response, "access-control-expose-headers"), "*");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    for (path, status) in [("/orders", 200), ("/nowhere", 404)] {
        let response = send(request(Method::HEAD, path)).await;
        assert_eq!(response.status(), status);
        assert!(!head(&response, "x-request-id").is_empty());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.is_empty(), "{path}");
    }
}
