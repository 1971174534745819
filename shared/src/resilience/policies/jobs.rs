//! Times of the scheduled jobs, and of what one of them forgets.

use std::time::Duration;

use super::{BATCH_TIMEOUT, RECONCILE_PAUSE};
use crate::domain::jobs::Job;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a run keeps others from its job. Longer than its function may take (60 s), so that
/// nobody takes over a live one; and over before the second run after one that was killed.
pub const JOB_LEASE: Duration = Duration::from_secs(65);

const _: () = assert!(JOB_LEASE.as_millis() > BATCH_TIMEOUT.as_millis());

/// How long a run keeps others from this job.
pub const fn leased_for(job: Job) -> Duration {
    match job {
        // Whoever sends a dead letter holds its row, so two at once do each other no harm, and the
        // run after one that was killed goes on where that was.
        Job::Replays => Duration::ZERO,
        _ => JOB_LEASE,
    }
}

/// What a run has to write down what became of it, also when its time is up. With all of them
/// late there is still time before the function's own end.
pub const JOB_RECORD_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How long readiness waits to be told of the schedules: no longer than for what is outside.
pub const SCHEDULES_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How often a job normally succeeds.
pub const fn repeated_every(job: Job) -> Duration {
    match job {
        Job::Reconciliation => RECONCILE_PAUSE,
        _ => MINUTE,
    }
}

/// After so long without a success a job was missed: long enough for a run that was killed and
/// for a few that failed. What customers wait for is missed sooner.
pub const fn missed_after(job: Job) -> Duration {
    match job {
        Job::Intents
        | Job::Payments
        | Job::Refunds
        | Job::Reservations
        | Job::LostEvents
        | Job::Outbox
        | Job::Replays
        | Job::Parked => Duration::from_secs(5 * 60),
        Job::ClosedAccounts
        | Job::Reports
        | Job::Expiry
        | Job::Trending
        | Job::Catalogue
        | Job::DeadLetters => Duration::from_secs(30 * 60),
        Job::Reconciliation => Duration::from_secs(45 * 60),
    }
}

/// How long runs of jobs are remembered.
pub const JOB_RUNS_KEPT: Duration = Duration::from_secs(7 * DAY.as_secs());

/// How long an answer is given again to its `Idempotency-Key`; clients are promised a day. Those
/// of `POST /checkout` are kept for ever.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(7 * DAY.as_secs());

const _: () = assert!(ANSWERS_KEPT.as_secs() > DAY.as_secs());

/// How long a mailed token is kept after it stopped being good.
pub const MAIL_TOKENS_KEPT: Duration = Duration::from_secs(7 * DAY.as_secs());

/// How long a webhook is kept after it was applied: far longer than its provider sends it again.
pub const WEBHOOKS_KEPT: Duration = Duration::from_secs(30 * DAY.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_job_is_missed_because_one_run_of_it_was_killed() {
        for job in Job::ALL {
            let killed = JOB_LEASE + MINUTE + repeated_every(job);
            assert!(missed_after(job) > killed, "{job:?}");
            assert!(missed_after(job) >= 3 * repeated_every(job), "{job:?}");
        }
    }
}
