//! Scheduled jobs: who is at them, and what became of every run.

use std::time::Duration;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::jobs::{Job, Outcome};
use crate::resilience::policies::{JOB_LEASE, leased_for};

/// The right to run a job, for as long as nobody else has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// What is run.
    pub job: Job,
    /// The run.
    pub run_id: Uuid,
}

/// What became of a run that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It did so many things.
    Done(i64),
    /// Its time had not come.
    NotDue,
    /// It failed, for this reason.
    Failed(String),
}

impl Ended {
    /// In one word.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Done(_) => Outcome::Done,
            Self::NotDue => Outcome::NotDue,
            Self::Failed(_) => Outcome::Failed,
        }
    }
}

/// Takes the lease of a job and records that a run of it began, unless another run has the lease.
/// Of two at once, one waits for the other and gets nothing.
/// It began when the lease was free, which may be later than the transaction did.
///
/// # Errors
/// The database's.
pub async fn take_lease(tx: &mut PgConnection, job: Job) -> Result<Option<Lease>, sqlx::Error> {
    let run_id = Uuid::now_v7();
    let begun = sqlx::query(
        "with leased as (
             insert into jobs (name, run_id, leased_until, last_started_at)
             values ($1, $2, now() + make_interval(secs => $3), clock_timestamp())
             on conflict (name) do update set run_id = excluded.run_id,
                 leased_until = excluded.leased_until, last_started_at = clock_timestamp()
             where jobs.leased_until is null or jobs.leased_until < now()
             returning name
         )
         insert into job_runs (id, job, started_at) select $2, name, clock_timestamp() from leased",
    )
    .bind(job.name())
    .bind(run_id)
    .bind(leased_for(job).as_secs_f64())
    .execute(tx)
    .await?;
    Ok((begun.rows_affected() == 1).then_some(Lease { job, run_id }))
}

/// Records what became of a run and ends its lease; false, and nothing is changed, when another
/// run has taken the lease meanwhile.
///
/// # Errors
/// The database's.
pub async fn finish(
    tx: &mut PgConnection,
    lease: Lease,
    ended: &Ended,
) -> Result<bool, sqlx::Error> {
    let (count, error) = match ended {
        Ended::Done(count) => (Some(*count), None),
        Ended::NotDue => (None, None),
        Ended::Failed(error) => (None, Some(error.as_str())),
    };
    let finished = sqlx::query(
        "with released as (
             update jobs set run_id = null, leased_until = null,
                 last_succeeded_at = case when $3::text = 'done' then now() else last_succeeded_at end
             where name = $1 and run_id = $2
             returning name
         )
         update job_runs set finished_at = clock_timestamp(), outcome = $3::text, count = $4, error = $5
         from released where job_runs.id = $2 and job_runs.job = released.name",
    )
    .bind(lease.job.name())
    .bind(lease.run_id)
    .bind(ended.outcome().name())
    .bind(count)
    .bind(error)
    .execute(tx)
    .await?;
    Ok(finished.rows_affected() == 1)
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    /// Its name; of another release it may be one that this one does not know.
    pub name: String,
    /// Until when a run has it to itself; in the past for one that ended without a word. Of `replays`
    /// when its run began, because there each dead letter is held by itself.
    pub leased_until: Option<OffsetDateTime>,
    /// When the latest run began.
    pub last_started_at: Option<OffsetDateTime>,
    /// When one last did what there was to do; for a job that never did, since when it is known.
    pub last_succeeded_at: OffsetDateTime,
    /// What became of the latest run.
    pub last_outcome: Option<Outcome>,
}

/// How every job stands that was ever known, in the order of their names. The run of a job that has
/// no lease for itself is running for as long as it may be.
///
/// # Errors
/// The database's.
pub async fn all(pool: &PgPool) -> Result<Vec<Standing>, sqlx::Error> {
    sqlx::query_as(
        "select j.name, j.leased_until, j.last_started_at, j.last_succeeded_at, latest.outcome as last_outcome
         from jobs j left join lateral (
             select job_run_outcome(r, j, make_interval(secs => $1)) as outcome
             from job_runs r where r.job = j.name order by r.started_at desc, r.id desc limit 1
         ) latest on true
         order by j.name",
    )
    .bind(JOB_LEASE.as_secs_f64())
    .fetch_all(pool)
    .await
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = JobRun)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it came to its end.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// What became of it.
    pub outcome: Outcome,
    /// How many things it did.
    pub count: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The latest runs of a job, the last one first.
///
/// # Errors
/// The database's.
pub async fn runs(pool: &PgPool, job: Job, limit: i64) -> Result<Vec<Run>, sqlx::Error> {
    sqlx::query_as(
        "select r.id, r.started_at, r.finished_at, r.count, r.error,
             job_run_outcome(r, j, make_interval(secs => $3)) as outcome
         from job_runs r join jobs j on j.name = r.job
         where r.job = $1 order by r.started_at desc, r.id desc limit $2",
    )
    .bind(job.name())
    .bind(limit)
    .bind(JOB_LEASE.as_secs_f64())
    .fetch_all(pool)
    .await
}

/// Forgets runs that began so long ago, the oldest first, at most `limit`; how many they were.
///
/// # Errors
/// The database's.
pub async fn forget_runs(
    tx: &mut PgConnection,
    kept: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    // As an array, so that only these are looked up; a join would read the whole table.
    let forgotten = sqlx::query(
        "delete from job_runs where id = any (array(
             select id from job_runs where started_at < now() - make_interval(secs => $1)
             order by started_at limit $2))",
    )
    .bind(kept.as_secs_f64())
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
