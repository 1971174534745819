//! The contract, and the page that shows it: built into the binary, told apart by their hash.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::http::{ApiError, Problem, etag};

/// A file that never changes while this release runs.
pub(crate) struct Document {
    content_type: &'static str,
    body: &'static str,
    etag: HeaderValue,
}

impl Document {
    pub(crate) fn new(content_type: &'static str, body: &'static str) -> Self {
        Self {
            content_type,
            body,
            etag: etag(0, body.as_bytes()),
        }
    }
}

static OPENAPI: LazyLock<Document> = LazyLock::new(|| {
    let body = include_str!("../../../docs/openapi.json");
    Document::new("application/json", body)
});

static PAGE: LazyLock<Document> = LazyLock::new(|| {
    let body = include_str!("docs/index.html");
    Document::new("text/html; charset=utf-8", body)
});

static PARTS: LazyLock<[(&str, Document); 5]> = LazyLock::new(|| {
    let script = |body| Document::new("text/javascript; charset=utf-8", body);
    let style = |body| Document::new("text/css; charset=utf-8", body);
    [
        ("app.js", script(include_str!("docs/app.js"))),
        ("dom.js", script(include_str!("docs/dom.js"))),
        ("schema.js", script(include_str!("docs/schema.js"))),
        ("try.js", script(include_str!("docs/try.js"))),
        ("style.css", style(include_str!("docs/style.css"))),
    ]
});

/// The page may load its own parts and call this API; nothing from elsewhere, nothing inline.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Clients ask each time, and mostly learn that nothing has changed.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Serves the contract as OpenAPI 3.1
///
/// Generated from the code and served with an `ETag`: with `If-None-Match` the
/// answer is 304 as long as it has not changed.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    responses(
        (status = 200, description = "The contract.", body = Object),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        (status = 500, description = "It is broken.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_openapi(headers: HeaderMap) -> Response {
    answer(&OPENAPI, &headers)
}

/// Shows the contract as a page
///
/// To read and to try; everything it needs is served from here.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "operations",
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 500, description = "It is broken.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_docs(headers: HeaderMap) -> Response {
    let mut response = answer(&PAGE, &headers);
    let policy = (header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response.headers_mut().extend([policy]);
    response
}

/// Serves a part of the page.
pub(crate) async fn get_docs_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let part = PARTS.iter().find(|(name, _)| *name == file);
    let (_, document) = part.ok_or_else(ApiError::not_found)?;
    Ok(answer(document, &headers))
}

/// Serves it, unless the client has it already.
pub(crate) fn answer(document: &Document, headers: &HeaderMap) -> Response {
    let tags = [
        (header::ETAG, document.etag.clone()),
        (header::CACHE_CONTROL, REVALIDATE),
    ];
    if is_known(&document.etag, headers) {
        return (StatusCode::NOT_MODIFIED, tags).into_response();
    }
    let content_type = HeaderValue::from_static(document.content_type);
    let content_type = [(header::CONTENT_TYPE, content_type)];
    (tags, content_type, document.body).into_response()
}

/// Weak comparison (RFC 9110, 13.1.2): a proxy that compresses makes a tag weak.
fn is_known(etag: &HeaderValue, headers: &HeaderMap) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
