//! What every request goes through, outermost first: context and one log line,
//! headers, CORS, the deadline and panics, the caller's limit, the body limit.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use uuid::Uuid;

use super::limits::limit;
use super::{ApiError, Kind};
use crate::context::{self, Context};
use crate::domain::trace::TraceContext;
use crate::resilience::Deadline;
use crate::resilience::policies::{ANSWER_MARGIN, REQUEST_TIMEOUT};
use crate::state::{AppState, Edge};
use crate::telemetry;

/// The largest body that a route takes unless it says otherwise.
const BODY_LIMIT_BYTES: usize = 256 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const X_DEGRADED: HeaderName = HeaderName::from_static("x-degraded");

/// Makes a function's routes a service: fallbacks, layers, state.
pub fn service<P>(routes: Router<AppState<P>>, state: AppState<P>) -> Router
where
    P: AsRef<Edge> + Send + Sync + 'static,
{
    let cors = cors(&state.as_ref().cors_allowed_origins);
    routes
        .fallback(|| async { ApiError::not_found() })
        .method_not_allowed_fallback(|| async { ApiError::new(Kind::MethodNotAllowed) })
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(from_fn_with_state(state.clone(), limit::<P>))
        .layer(from_fn(guard))
        // Outside of the guard, because browsers must be able to read a timeout too.
        .layer(cors)
        .layer(from_fn(edge))
        .with_state(state)
}

fn cors(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::try_from(origin).ok()),
        )
    };
    let allowed = [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "traceparent",
        "x-request-id",
    ];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(allowed.map(HeaderName::from_static))
        .expose_headers(Any)
        .max_age(std::time::Duration::from_secs(600))
}

async fn edge(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let trace = trace(&request);
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let context = Context {
        request_id: request_id.clone(),
        deadline: Deadline::after(REQUEST_TIMEOUT),
    };
    let work = context::noting_degradations(next.run(request));
    let work = context::traced(trace.clone(), work);
    let (mut response, degradations) = context::scope(context, work).await;
    telemetry::request(telemetry::Request {
        request_id: &request_id,
        trace_id: trace.trace_id(),
        method: method.as_str(),
        route: route.as_deref().unwrap_or("unmatched"),
        status: response.status().as_u16(),
        duration: started.elapsed(),
    });
    set_headers(&mut response, &request_id);
    set_degraded(&mut response, degradations);
    response
}

/// Names what the answer was made without, beside what the route itself has named.
fn set_degraded(response: &mut Response, noted: BTreeSet<&'static str>) {
    let present = response.headers().get_all(X_DEGRADED).iter().cloned();
    let present: Vec<HeaderValue> = present.collect();
    let present = present.iter().filter_map(|value| value.to_str().ok());
    let present = present.flat_map(|names| names.split(", "));
    let names: BTreeSet<&str> = noted.into_iter().chain(present).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if let Some(value) = HeaderValue::try_from(names.join(", "))
        .ok()
        .filter(|value| !value.is_empty())
    {
        response.headers_mut().insert(X_DEGRADED, value);
    }
}

/// What `work` comes to, unless it leaves no time to answer.
pub async fn in_time<F: Future>(work: F) -> Option<F::Output> {
    let time = context::deadline().remaining();
    let time = time.saturating_sub(ANSWER_MARGIN);
    tokio::time::timeout(time, work).await.ok()
}

/// The routes' answer, or what to say when they panic or take too long.
async fn guard(request: Request, next: Next) -> Response {
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
        Ok(Ok(response)) => conform(response),
        Ok(Err(_)) => ApiError::internal("the handler panicked").into_response(),
        Err(_) => ApiError::new(Kind::Timeout)
            .caused_by("the deadline has passed")
            .into_response(),
    }
}

/// A rejection of axum's own is plain text; here it becomes a problem like any other. A page that
/// says what went wrong stays one.
fn conform(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || is_ours(response.headers()) {
        return response;
    }
    let kind = match status.as_u16() {
        404 => Kind::NotFound,
        405 => Kind::MethodNotAllowed,
        413 => Kind::TooLarge,
        415 => Kind::UnsupportedMediaType,
        422 => Kind::Invalid,
        400..500 => Kind::Unreadable,
        _ => Kind::Internal,
    };
    ApiError::new(kind).into_response()
}

fn is_ours(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.contains("json") || text.starts_with("text/html"))
}

/// A well-formed incoming id is kept, so that a caller can follow its request.
fn request_id(request: &Request) -> String {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let well_formed = |id: &&str| {
        (8..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given
        .filter(well_formed)
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// The caller's trace goes on; without one, a new one begins.
fn trace(request: &Request) -> TraceContext {
    let given = request.headers().get("traceparent");
    given
        .and_then(|value| TraceContext::parse(value.to_str().ok()?))
        .unwrap_or_else(TraceContext::begin)
}

fn set_headers(response: &mut Response, request_id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        // A page or a cacheable read sets its own.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}
