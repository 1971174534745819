//! The scheduled jobs on the overview, and the latest runs of one.

use askama::Template;
use axum::extract::State;
use shared::domain::jobs::Outcome;
use shared::http::Path;
use shared::store::jobs::Run;

use super::labels::Label as _;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;
use crate::jobs::{self, JobView};

/// A job as it stands on a page.
pub(super) struct Row {
    pub(super) job: JobView,
}

impl Row {
    /// In a word, and how a page shows it.
    pub(super) fn state(&self) -> (&'static str, &'static str) {
        match (self.job.overdue, self.job.last_outcome) {
            (true, _) => ("missed", "bad"),
            (false, Some(Outcome::Failed | Outcome::Lost)) => ("failed last", "warn"),
            (false, Some(_)) => ("on time", "good"),
            (false, None) => ("not run yet", ""),
        }
    }
}

#[derive(Template)]
#[template(path = "console/job.html")]
struct Shown {
    shell: Shell,
    row: Row,
    runs: Vec<Run>,
}

/// Shows what became of a job's latest runs.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    name: Path<String>,
) -> Answer {
    let found = jobs::get_job(State(state), operator.admin(), name).await?.0;
    let shell = Shell::new(&operator, Tab::Overview, format!("Job {}", found.job.name));
    let (row, runs) = (Row { job: found.job }, found.runs);
    shell::page(&Shown { shell, row, runs })
}

/// How long a run took.
fn lasted(run: &Run) -> String {
    match run.finished_at {
        Some(end) => format!("{} ms", (end - run.started_at).whole_milliseconds()),
        None => "–".to_owned(),
    }
}
