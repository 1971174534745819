//! The scheduled jobs: who is at them, and what became of their runs.

use axum::extract::State;
use serde::Serialize;
use shared::domain::jobs::{Job, Outcome};
use shared::events::is_overdue;
use shared::http::{Admin, ApiError, Json, Page, Path, Problem};
use shared::resilience::policies::repeated_every;
use shared::store::StoreError;
use shared::store::jobs::{self, Run, Standing};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::AppState;

/// Runs that are shown of one job.
const RUNS: i64 = 50;

/// A scheduled job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    /// Its name.
    #[schema(example = "outbox")]
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// The function that runs it, and has its log.
    #[schema(example = "sweeper")]
    pub(crate) function: &'static str,
    /// Whether it had no success for too long.
    pub(crate) overdue: bool,
    /// Until when a run has it to itself; in the past after one that ended without a word. Of
    /// `replays` when its run began: there each dead letter is held by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    leased_until: Option<OffsetDateTime>,
    /// When its latest run began.
    #[serde(with = "time::serde::rfc3339::option")]
    last_started_at: Option<OffsetDateTime>,
    /// When one last did what there was to do; before the first, since when it is known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) last_succeeded_at: Option<OffsetDateTime>,
    /// What became of its latest run.
    pub(crate) last_outcome: Option<Outcome>,
    /// When it is to succeed again.
    #[serde(with = "time::serde::rfc3339::option")]
    next_expected_at: Option<OffsetDateTime>,
}

impl JobView {
    fn of(job: Job, standings: &[Standing]) -> Self {
        let standing = standings.iter().find(|one| one.name == job.name());
        let last_succeeded_at = standing.map(|one| one.last_succeeded_at);
        Self {
            name: job.name(),
            description: job.description(),
            function: job.function(),
            overdue: standing.is_some_and(is_overdue),
            leased_until: standing.and_then(|one| one.leased_until),
            last_started_at: standing.and_then(|one| one.last_started_at),
            last_succeeded_at,
            last_outcome: standing.and_then(|one| one.last_outcome),
            next_expected_at: last_succeeded_at.map(|at| at + repeated_every(job)),
        }
    }
}

/// A scheduled job and its latest runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobRunsView {
    /// The job.
    pub(crate) job: JobView,
    /// Its runs, the last one first. Older ones are forgotten after a week.
    pub(crate) runs: Vec<Run>,
}

/// Shows every scheduled job.
#[utoipa::path(
    get, path = "/admin/jobs", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them, in the order in which they run; there is no next page.", body = Page<JobView>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_jobs(
    State(state): State<AppState>,
    _: Admin,
) -> Result<Json<Page<JobView>>, ApiError> {
    let standings = standings(&state).await?;
    let views = Job::ALL.map(|job| JobView::of(job, &standings));
    Ok(Json(Page {
        items: views.into(),
        next_cursor: None,
    }))
}

/// Shows one scheduled job with its latest runs.
#[utoipa::path(
    get, path = "/admin/jobs/{name}", tag = "operations", security(("bearer" = [])),
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The job", body = JobRunsView),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_job(
    State(state): State<AppState>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<Json<JobRunsView>, ApiError> {
    let job = Job::from_name(&name).ok_or_else(ApiError::not_found)?;
    let runs = state
        .database
        .read_own(|pool| async move { jobs::runs(&pool, job, RUNS).await });
    let runs = runs.await?;
    let job = JobView::of(job, &standings(&state).await?);
    Ok(Json(JobRunsView { job, runs }))
}

/// How every job stands.
///
/// # Errors
/// The database is away.
pub(crate) async fn standings(state: &AppState) -> Result<Vec<Standing>, StoreError> {
    let read = state
        .database
        .read_own(|pool| async move { jobs::all(&pool).await });
    read.await
}

#[cfg(test)]
mod tests {
    use shared::clock;
    use time::Duration;

    use super::*;

    fn succeeded(ago: Duration) -> Vec<Standing> {
        vec![Standing {
            name: "reconciliation".to_owned(),
            leased_until: None,
            last_started_at: Some(clock::now()),
            last_succeeded_at: clock::now() - ago,
            last_outcome: Some(Outcome::NotDue),
        }]
    }

    #[test]
    fn next_success_is_expected_at_the_jobs_own_pace() {
        let view = JobView::of(Job::Reconciliation, &succeeded(Duration::minutes(4)));
        let next = view.next_expected_at.unwrap() - clock::now();
        assert_eq!((next.whole_minutes(), view.overdue), (5, false));
        assert!(JobView::of(Job::Reconciliation, &succeeded(Duration::hours(2))).overdue);
    }

    #[test]
    fn job_that_nobody_has_run_is_shown_without_a_date() {
        let view = JobView::of(Job::Outbox, &succeeded(Duration::minutes(4)));
        assert_eq!((view.last_succeeded_at, view.overdue), (None, false));
        assert_eq!(view.next_expected_at, None);
    }
}
