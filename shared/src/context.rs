//! What belongs to one request or message: its id and its deadline.
//!
//! Both are ambient for the duration of one future, so that no signature
//! between the edge and the outside has to carry them.

use std::time::{Duration, Instant};

tokio::task_local! {
    static CONTEXT: Context;
}

/// What belongs to one request or message.
#[derive(Debug, Clone)]
pub struct Context {
    /// Echoed to the caller as `X-Request-Id` and written in every log line.
    pub request_id: String,
    /// When the answer must be ready.
    pub deadline: Deadline,
}

/// Without a context (a command-line tool, a test) this much time is granted.
const UNBOUND: Duration = Duration::from_secs(30);

/// Runs `work` with `context` in force.
pub async fn scope<F: Future>(context: Context, work: F) -> F::Output {
    CONTEXT.scope(context, work).await
}

/// The deadline in force.
pub fn deadline() -> Deadline {
    CONTEXT
        .try_with(|c| c.deadline)
        .unwrap_or_else(|_| Deadline::after(UNBOUND))
}

/// The id of the request or message at hand; empty outside of one.
pub fn request_id() -> String {
    CONTEXT
        .try_with(|c| c.request_id.clone())
        .unwrap_or_default()
}

/// The point after which nobody waits for the answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// What is left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
