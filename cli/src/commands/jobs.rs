//! `jobs`: shows the scheduled jobs, as the stack's admin.

use anyhow::{Context, Result};
use clap::Args;
use local::{Port, Stack};
use serde::Deserialize;

use crate::seed::Api;
use crate::steps::accounts;

/// The longest reason in a list, in characters.
const ERROR_CHARS_MAX: usize = 60;

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
    let accounts = accounts::read(stack)?
        .context("This stack has no accounts yet. Start it: cargo holdfast up")?;
    let api = Api::new(&stack.url(Port::Front))?
        .sign_in(&accounts.admin)
        .await?;
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
            seconds(job.last_started_at.as_deref()),
            seconds(job.last_succeeded_at.as_deref()),
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
        ("leased until", seconds(job.leased_until.as_deref())),
        ("last started", seconds(job.last_started_at.as_deref())),
        ("last done", seconds(job.last_succeeded_at.as_deref())),
        ("next expected", seconds(job.next_expected_at.as_deref())),
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
            seconds(Some(&run.started_at)),
            seconds(run.finished_at.as_deref()),
            run.outcome,
            or_dash(count.as_deref()),
            cut(run.error.as_deref().unwrap_or_default())
        );
    }
}

fn or_dash(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}

/// An instant without the fraction of its second.
fn seconds(instant: Option<&str>) -> &str {
    let instant = or_dash(instant);
    instant.get(..19).unwrap_or(instant)
}

fn cut(error: &str) -> String {
    if error.chars().count() <= ERROR_CHARS_MAX {
        return error.to_owned();
    }
    let begin: String = error.chars().take(ERROR_CHARS_MAX).collect();
    begin + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_a_dash_and_instants_lose_their_fraction() {
        assert_eq!(seconds(None), "-");
        assert_eq!(
            seconds(Some("2026-11-01T12:00:00.5Z")),
            "2026-11-01T12:00:00"
        );
        assert_eq!(cut(&"é".repeat(100)).chars().count(), ERROR_CHARS_MAX + 1);
    }
}
