//! Events sent through a router inside of the test.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
pub(crate) use tests::state::{NOWHERE, offline as state};
use tower::ServiceExt;

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
