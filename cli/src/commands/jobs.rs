//! `jobs`: shows the scheduled jobs, as the stack's admin.

use anyhow::Result;
use clap::Args;
use local::Stack;
use serde::Deserialize;

use crate::cells::{cut, or_dash, seconds};
use crate::seed::Api;

#[derive(Args)]
pub(crate) struct Options {
    /// One job, as the list names it: shows its latest runs
    name: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    description: String,
    function: String,
    overdue: bool,
    leased_until: Option<String>,
    last_started_at: Option<String>,
    last_succeeded_at: Option<String>,
    last_outcome: Option<String>,
    next_expected_at: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    job: Job,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    started_at: String,
    finished_at: Option<String>,
    outcome: String,
    count: Option<i64>,
    error: Option<String>,
}

/// Lists the jobs, or the latest runs of one.
///
/// # Errors
/// The stack does not run, or the API refuses.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let (api, _) = Api::of_admin(stack).await?;
    match &options.name {
        None => {
            let body = api.get("/admin/jobs").await?.body("reading the jobs")?;
            let page: Page = serde_json::from_value(body)?;
            print_jobs(&page.items);
        }
        Some(name) => {
            let answer = api.get(&format!("/admin/jobs/{name}")).await?;
            let body = answer.body(&format!("reading the job {name}"))?;
            let Runs { job, runs } = serde_json::from_value(body)?;
            print_job(&job);
            print_runs(&runs);
        }
    }
    Ok(())
}

fn print_jobs(jobs: &[Job]) {
    println!(
        "{:<15}  {:<12}  {:<7}  {:<7}  {:<19}  {:<19}  does",
        "job", "function", "last", "", "last started", "last done"
    );
    for job in jobs {
        println!(
            "{:<15}  {:<12}  {:<7}  {:<7}  {:<19}  {:<19}  {}",
            job.name,
            job.function,
            or_dash(job.last_outcome.as_deref()),
            if job.overdue { "OVERDUE" } else { "" },
            moment(job.last_started_at.as_deref()),
            moment(job.last_succeeded_at.as_deref()),
            job.description
        );
    }
}

fn print_job(job: &Job) {
    let rows = [
        ("job", job.name.as_str()),
        ("does", job.description.as_str()),
        ("function", job.function.as_str()),
        ("overdue", if job.overdue { "YES" } else { "no" }),
        ("leased until", moment(job.leased_until.as_deref())),
        ("last started", moment(job.last_started_at.as_deref())),
        ("last done", moment(job.last_succeeded_at.as_deref())),
        ("next expected", moment(job.next_expected_at.as_deref())),
    ];
    for (name, value) in rows {
        println!("{name:<13}  {value}");
    }
}

fn print_runs(runs: &[Run]) {
    if runs.is_empty() {
        println!("\nno runs");
        return;
    }
    println!(
        "\n{:<19}  {:<19}  {:<7}  {:>7}  error",
        "started", "finished", "outcome", "count"
    );
    for run in runs {
        let count = run.count.map(|count| count.to_string());
        println!(
            "{:<19}  {:<19}  {:<7}  {:>7}  {}",
            seconds(&run.started_at),
            moment(run.finished_at.as_deref()),
            run.outcome,
            or_dash(count.as_deref()),
            cut(run.error.as_deref().unwrap_or_default())
        );
    }
}

/// An instant without the fraction of its second, or a dash for none.
fn moment(instant: Option<&str>) -> &str {
    seconds(or_dash(instant))
}
