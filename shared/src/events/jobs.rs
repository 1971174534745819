//! Runs scheduled jobs one after the other, each under its lease, and records every run.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt;
use lambda_runtime::Error;
use serde_json::{Map, Value};

use crate::clock;
use crate::context::{self, Context};
use crate::domain::dead_letters::masked;
use crate::domain::jobs::Job;
use crate::resilience::Deadline;
use crate::resilience::policies::{JOB_RECORD_TIMEOUT, missed_after};
use crate::state::Base;
use crate::store::StoreError;
use crate::store::jobs::{self, Ended, Lease, Standing};
use crate::telemetry;

/// The longest reason that is recorded, in characters.
const ERROR_CHARS_MAX: usize = 1_000;

/// What is said of a job that another run is at.
const LEASED: &str = "another run has its lease";

/// What a job did.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// What there was to do.
    Done {
        /// How many things.
        count: usize,
        /// How many could not be done and were left, each with a line of its own in the log.
        left: usize,
        /// The same for the log, or more of it.
        details: Value,
    },
    /// Nothing: its time had not come.
    NotDue,
}

impl Work {
    /// The end of a list, of which so many were done and so many left.
    pub fn of_list(count: usize, left: usize) -> Self {
        let details = count.into();
        Self::Done {
            count,
            left,
            details,
        }
    }
}

impl From<usize> for Work {
    fn from(count: usize) -> Self {
        Self::of_list(count, 0)
    }
}

impl From<Option<usize>> for Work {
    fn from(count: Option<usize>) -> Self {
        count.map_or(Self::NotDue, Self::from)
    }
}

/// One visit of the schedule: which jobs were done, and which failed.
pub struct Jobs<'a> {
    base: &'a Base,
    done: Map<String, Value>,
    failed: Vec<&'static str>,
}

impl<'a> Jobs<'a> {
    /// Nothing was done yet.
    pub fn begin(base: &'a Base) -> Self {
        Self {
            base,
            done: Map::new(),
            failed: Vec::new(),
        }
    }

    /// Runs a job, unless another run has its lease, which is no failure. One that fails or
    /// panics does not keep the next from running. One that had to leave something is done, and is
    /// told beside those that failed.
    pub async fn run<T, E>(&mut self, job: Job, work: impl Future<Output = Result<T, E>>)
    where
        T: Into<Work>,
        E: Into<Error>,
    {
        let work = async { work.await.map(T::into).map_err(E::into) };
        // A job's future is large, and the caller's stack may be small.
        let said = match Box::pin(run_leased(self.base, job, work)).await {
            Ok(Some(Work::Done { details, left, .. })) => {
                if left > 0 {
                    tracing::error!(job = job.name(), left, "the job left what it could not do");
                    self.failed.push(job.name());
                }
                details
            }
            Ok(Some(Work::NotDue)) => Value::Null,
            Ok(None) => {
                tracing::info!(job = job.name(), "left out: {LEASED}");
                LEASED.into()
            }
            Err(error) => {
                let error = telemetry::chain(error.as_ref());
                tracing::error!(job = job.name(), error, "the job failed");
                self.failed.push(job.name());
                return;
            }
        };
        self.done.insert(job.name().to_owned(), said);
    }

    /// Counts the jobs of all functions that were missed, for the alarm. When they cannot be
    /// counted nothing is said, which the alarm takes for missed.
    pub async fn count_overdue(&self) {
        let read = self
            .base
            .database
            .read_own(|pool| async move { jobs::all(&pool).await });
        let all = match with_time(read).await {
            Ok(all) => all,
            Err(error) => {
                let error = telemetry::chain(&error);
                tracing::error!(error, "missed jobs are not counted");
                return;
            }
        };
        let overdue = all.into_iter().filter(is_overdue).map(|job| job.name);
        let overdue: Vec<String> = overdue.collect();
        if !overdue.is_empty() {
            tracing::error!(jobs = overdue.join(", "), "jobs were missed");
        }
        // There are few.
        let metrics = [("JobsOverdue", overdue.len() as f64)];
        telemetry::count(("function", "sweeper"), &metrics);
    }

    /// What was done, each job by its name.
    ///
    /// # Errors
    /// Some job failed or left something: the schedule's alarm is to see it.
    pub fn end(self) -> Result<Value, Error> {
        let done = Value::Object(self.done);
        tracing::info!(done = %done, "the schedule's jobs were run");
        if self.failed.is_empty() {
            Ok(done)
        } else {
            Err(format!("failed: {}", self.failed.join(", ")).into())
        }
    }
}

/// Whether a job had no success for too long. One that this release does not know is another's.
pub fn is_overdue(standing: &Standing) -> bool {
    let job = Job::from_name(&standing.name);
    job.is_some_and(|job| clock::now() - standing.last_succeeded_at > missed_after(job))
}

/// Runs a job under its lease; nothing when another run has that.
async fn run_leased(
    base: &Base,
    job: Job,
    work: impl Future<Output = Result<Work, Error>>,
) -> Result<Option<Work>, Error> {
    let Some(lease) = take(base, job).await? else {
        return Ok(None);
    };
    let started = Instant::now();
    let result = AssertUnwindSafe(work).catch_unwind().await;
    let result = result.unwrap_or_else(|_| Err("it panicked".into()));
    let ended = match &result {
        Ok(Work::Done { count, .. }) => Ended::Done(i64::try_from(*count).unwrap_or(i64::MAX)),
        Ok(Work::NotDue) => Ended::NotDue,
        Err(error) => Ended::Failed(reason(error)),
    };
    tracing::info!(
        job = job.name(),
        run.id = %lease.run_id,
        outcome = ended.outcome().name(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "job"
    );
    let recorded = record(base, lease, &ended).await;
    let work = result?;
    if !recorded? {
        tracing::warn!(job = job.name(), run.id = %lease.run_id, "another run has taken the job over");
    }
    Ok(Some(work))
}

/// Why a job failed, for whoever may see it.
fn reason(error: &Error) -> String {
    masked(&telemetry::chain(error.as_ref()), ERROR_CHARS_MAX)
}

async fn take(base: &Base, job: Job) -> Result<Option<Lease>, StoreError> {
    base.database
        .write(async |tx| jobs::take_lease(tx, job).await)
        .await
}

async fn record(base: &Base, lease: Lease, ended: &Ended) -> Result<bool, StoreError> {
    let work = base
        .database
        .write(async |tx| jobs::finish(tx, lease, ended).await);
    with_time(work).await
}

/// Gives what is to be said at the end some time, also when the time of the run is up: a job would
/// stand still until its lease ends, and missed ones would not be counted.
async fn with_time<T>(work: impl Future<Output = T>) -> T {
    let context = Context {
        request_id: context::request_id(),
        deadline: context::deadline().max(Deadline::after(JOB_RECORD_TIMEOUT)),
    };
    context::scope(context, work).await
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn standing(name: &str, ago: Duration) -> Standing {
        Standing {
            name: name.to_owned(),
            leased_until: None,
            last_started_at: None,
            last_succeeded_at: clock::now() - ago,
            last_outcome: None,
        }
    }

    #[tokio::test]
    async fn job_is_overdue_when_its_last_success_is_too_long_ago() {
        assert!(!is_overdue(&standing("outbox", Duration::minutes(4))));
        assert!(is_overdue(&standing("outbox", Duration::minutes(6))));
        assert!(!is_overdue(&standing(
            "reconciliation",
            Duration::minutes(20)
        )));
        assert!(is_overdue(&standing("reconciliation", Duration::hours(1))));
    }

    #[tokio::test]
    async fn job_of_another_release_is_nothing_of_ours() {
        assert!(!is_overdue(&standing("teleport", Duration::days(9))));
    }

    #[test]
    fn nothing_about_a_person_is_recorded() {
        let error: Error = "no mail to ada@shop.example".into();
        assert_eq!(reason(&error), "no mail to ***");
    }

    #[test]
    fn job_whose_time_had_not_come_did_nothing() {
        assert_eq!(Work::from(None::<usize>), Work::NotDue);
        assert_eq!(Work::from(Some(2_usize)), Work::from(2_usize));
    }
}
