//! What belongs to one request or message: its id, its deadline, its trace, and
//! what it had to do without.
//!
//! All are ambient for the duration of one future, so that no signature
//! between the edge and the outside has to carry them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::trace::TraceContext;

tokio::task_local! {
    static CONTEXT: Context;
    static TRACE: TraceContext;
    static DEGRADATIONS: RefCell<BTreeSet<&'static str>>;
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
    given_deadline().unwrap_or_else(|| Deadline::after(UNBOUND))
}

/// The deadline in force; `None` without a context.
pub fn given_deadline() -> Option<Deadline> {
    CONTEXT.try_with(|c| c.deadline).ok()
}

/// The id of the request or message at hand; empty outside of one.
pub fn request_id() -> String {
    CONTEXT
        .try_with(|c| c.request_id.clone())
        .unwrap_or_default()
}

/// Runs `work` as a part of `trace`.
pub async fn traced<F: Future>(trace: TraceContext, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// The trace that the work at hand is a part of.
pub fn trace() -> Option<TraceContext> {
    TRACE.try_with(Clone::clone).ok()
}

/// Notes that the work at hand is done in a reduced way, because `dependency`
/// is away. Outside of a request nobody is told.
pub fn degraded(dependency: &'static str) {
    let _ = DEGRADATIONS.try_with(|noted| noted.borrow_mut().insert(dependency));
}

/// Runs `work` and says what was noted as degraded meanwhile, in alphabetical order.
pub async fn noting_degradations<F: Future>(work: F) -> (F::Output, BTreeSet<&'static str>) {
    let noted = async {
        let output = work.await;
        (output, DEGRADATIONS.with(RefCell::take))
    };
    DEGRADATIONS.scope(RefCell::default(), noted).await
}

/// The point after which nobody waits for the answer any more. By tokio's clock, which tests pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout)
    }

    /// The deadline `margin` before this one.
    pub fn earlier_by(self, margin: Duration) -> Self {
        Self(self.0.checked_sub(margin).unwrap_or(self.0))
    }

    /// What is left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_knows_its_trace() {
        let given = TraceContext::begin();
        let seen = traced(given.clone(), async { trace() }).await;
        assert_eq!((seen, trace()), (Some(given), None));
    }

    #[tokio::test]
    async fn each_request_is_told_of_its_own_degradations_once() {
        degraded("nobody listens");
        let work = async {
            degraded("database");
            degraded("payments");
            degraded("database");
            7
        };
        let (output, noted) = noting_degradations(work).await;
        assert_eq!(
            (output, noted),
            (7, BTreeSet::from(["database", "payments"]))
        );
        let ((), noted) = noting_degradations(async {}).await;
        assert!(noted.is_empty());
    }
}
