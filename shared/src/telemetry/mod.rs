//! Logs: one JSON line per request, message and warm-up. Never personal data, tokens or bodies.

mod metrics;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

pub use metrics::{count, set_stage};

/// Starts logging as JSON lines on standard output, at the level in `LOG_LEVEL` (`info`).
pub fn start() {
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    // Set twice only when a test starts two states in one process.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .try_init();
}

/// What is said about one HTTP request.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its id.
    pub request_id: &'a str,
    /// The trace that it is a part of.
    pub trace_id: &'a str,
    /// Its method.
    pub method: &'a str,
    /// The route's template, never the path itself, which may hold an id that is a capability.
    pub route: &'a str,
    /// The answer's status.
    pub status: u16,
    /// From the first byte to the answer.
    pub duration: Duration,
}

/// Writes the line of one HTTP request.
pub fn request(request: Request<'_>) {
    tracing::info!(
        request.id = request.request_id,
        trace_id = request.trace_id,
        http.request.method = request.method,
        http.route = request.route,
        http.response.status_code = request.status,
        duration_ms = milliseconds(request.duration),
        cold_start = cold_start(),
        "request"
    );
}

/// What is said about one message of a queue.
#[derive(Debug)]
pub struct Message<'a> {
    /// The message's own id at the queue.
    pub message_id: &'a str,
    /// The trace that its event is a part of; empty when it was not read.
    pub trace_id: &'a str,
    /// The event's type; empty when it was not read.
    pub event_type: &'a str,
    /// `done`, `again`, `rejected`, or `unprocessed` when there was no time to begin with it.
    pub outcome: &'static str,
    /// How long it took.
    pub duration: Duration,
}

/// Writes the line of one message.
pub fn message(message: Message<'_>) {
    tracing::info!(
        messaging.message.id = message.message_id,
        trace_id = message.trace_id,
        event.type_ = message.event_type,
        outcome = message.outcome,
        duration_ms = milliseconds(message.duration),
        cold_start = cold_start(),
        "message"
    );
}

/// Writes the line of one warm-up. The first request after it is no cold start.
pub fn warm_up(duration: Duration) {
    tracing::info!(
        duration_ms = milliseconds(duration),
        cold_start = cold_start(),
        "warm-up"
    );
}

/// An error and its causes, in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut chain = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        next = cause.source();
    }
    chain
}

/// Whether this is the environment's first request, message or warm-up.
fn cold_start() -> bool {
    static FIRST: AtomicBool = AtomicBool::new(true);
    FIRST.swap(false, Ordering::Relaxed)
}

fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}
