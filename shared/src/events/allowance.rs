//! How much time a batch has, and each of its messages.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::failure::Failure;
use crate::clock;
use crate::context::{self, Context};
use crate::resilience::Deadline;
use crate::resilience::policies::{
    ANSWER_MARGIN, BATCH_TIMEOUT, DISPOSE_RESERVE, RECORD_TIMEOUT, WORKER_FUNCTION_TIMEOUT,
};

/// The context of an invocation: its answer must be out before Lambda ends it.
pub(super) fn invocation(invocation: lambda_runtime::Context) -> Context {
    let now = u64::try_from(clock::now_ms()).unwrap_or_default();
    let left = Duration::from_millis(invocation.deadline.saturating_sub(now));
    let left = left.min(WORKER_FUNCTION_TIMEOUT);
    Context {
        request_id: invocation.request_id,
        deadline: Deadline::after(left.saturating_sub(ANSWER_MARGIN)),
    }
}

/// The context of a scheduled run: that of its invocation, and no more time than a run has.
pub(super) fn scheduled(run: lambda_runtime::Context) -> Context {
    let context = invocation(run);
    Context {
        deadline: context.deadline.min(Deadline::after(BATCH_TIMEOUT)),
        ..context
    }
}

/// The time of one batch, of which each message gets a part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// When what is under way is cut off, so that it can still be said what becomes of it.
    work: Deadline,
    /// When the batch must be answered.
    pub(super) answer: Deadline,
}

impl Allowance {
    /// That of the batch at hand: ours, or what Lambda leaves if that is less.
    pub(super) fn of_batch() -> Self {
        let longest = Deadline::after(BATCH_TIMEOUT + DISPOSE_RESERVE);
        let answer = context::given_deadline().map_or(longest, |given| given.min(longest));
        Self {
            work: answer.earlier_by(DISPOSE_RESERVE),
            answer,
        }
    }

    /// Whether one more message may be begun after so many. The first always is, however late its
    /// batch came: so every batch gets somewhere.
    pub(super) fn admits(self, begun: usize) -> bool {
        begun == 0 || self.work.remaining() >= RECORD_TIMEOUT
    }

    /// Runs one piece of work, which keeps no other away by a panic or by taking too long.
    pub(super) async fn grant<T>(
        self,
        request_id: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let context = Context {
            request_id: request_id.to_owned(),
            deadline: self.work.min(Deadline::after(RECORD_TIMEOUT)),
        };
        let timeout = context.deadline.remaining();
        // A handler's future is large, and the caller's stack may be small.
        let work = Box::pin(context::scope(context, work));
        let caught = AssertUnwindSafe(work).catch_unwind();
        match tokio::time::timeout(timeout, caught).await {
            Ok(ended) => ended.map_err(|_| Failure::Panicked),
            Err(_) => Err(Failure::TimedOut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(deadline_ms: u64) -> Duration {
        let mut of = lambda_runtime::Context::default();
        of.deadline = deadline_ms;
        invocation(of).deadline.remaining()
    }

    #[tokio::test(start_paused = true)]
    async fn answer_is_out_before_lambda_ends_the_invocation() {
        let now = u64::try_from(clock::now_ms()).unwrap();
        let ten_seconds = left(now + 10_000);
        let longest = Duration::from_secs(10) - ANSWER_MARGIN;
        assert!(ten_seconds <= longest && ten_seconds >= longest - Duration::from_millis(2));
        assert_eq!(left(now), Duration::ZERO);
        assert_eq!(left(u64::MAX), WORKER_FUNCTION_TIMEOUT - ANSWER_MARGIN);
    }

    #[tokio::test(start_paused = true)]
    async fn scheduled_run_has_what_is_left_and_no_more_than_its_own() {
        let now = u64::try_from(clock::now_ms()).unwrap();
        for (deadline_ms, longest) in [
            (now, Duration::ZERO),
            (now + 10_000, Duration::from_secs(10) - ANSWER_MARGIN),
            (u64::MAX, BATCH_TIMEOUT),
        ] {
            let mut of = lambda_runtime::Context::default();
            of.deadline = deadline_ms;
            let left = scheduled(of).deadline.remaining();
            assert!(left <= longest && left + Duration::from_millis(2) >= longest);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn batch_has_what_is_left_and_no_more_than_its_own() {
        let all = BATCH_TIMEOUT + DISPOSE_RESERVE;
        for (given, work) in [
            (all * 2, BATCH_TIMEOUT),
            (all / 2, all / 2 - DISPOSE_RESERVE),
            (Duration::ZERO, Duration::ZERO),
        ] {
            let context = Context {
                request_id: String::new(),
                deadline: Deadline::after(given),
            };
            let allowance = context::scope(context, async { Allowance::of_batch() }).await;
            assert_eq!(allowance.work.remaining(), work);
            assert!(allowance.admits(0));
        }
        assert_eq!(Allowance::of_batch().work.remaining(), BATCH_TIMEOUT);
    }
}
