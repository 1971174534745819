//! `bench warmer`: the cold starts that customers meet with and without the warmer, and what it
//! costs. Whether a request met one is said by the function's own log line, never guessed from how
//! long it took.

mod crowd;
mod customers;
mod figures;
mod lines;
mod schedule;
mod table;

use crate::emulator;
use crate::progress::Progress;
use crate::steps::lock;
use anyhow::{Context, Result, bail};
use clap::Args;
use crowd::Crowd;
use customers::{Customers, ROUTES};
use figures::{Figures, median};
use local::Stack;
use local::stack::STAGE;
use schedule::Run;
use serde::Serialize;
use shared::config::WarmTarget;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args)]
pub(super) struct Options {
    /// Rounds, each without the warmer and with it in turn
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Prints one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

/// Everything that was measured.
#[derive(Serialize)]
struct Report {
    rounds: u32,
    functions: Vec<Row>,
    cost: Cost,
}

/// So many requests at once to one function of which no environment was left.
#[derive(Serialize)]
struct Row {
    function: String,
    route: String,
    /// Environments that the warmer keeps.
    kept_ready: usize,
    /// Requests that were sent at once.
    at_once: usize,
    without: Figures,
    with: Figures,
}

/// One run of the warmer over functions that are all cold: medians.
#[derive(Serialize)]
struct Cost {
    /// Its own and those that it makes.
    invocations: usize,
    /// Until its answer.
    warmer_ms: f64,
    /// All its warm-ups together, as the functions say; none if their lines were not found.
    warm_ups_ms: Option<f64>,
}

/// Whether the warmer runs before customers come.
#[derive(Clone, Copy)]
enum Mode {
    Without,
    With,
}

/// Measures.
///
/// # Errors
/// The stack does not run, or an answer is not what it should be.
pub(super) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let progress = match options.json {
        true => Progress::silent(),
        false => Progress::new(),
    };
    let crowds = crowds(stack).await?;
    let _lock = lock::take(stack)?;
    let paused = schedule::pause(stack).await?;
    let outcome = tokio::select! {
        report = measure(stack, options, crowds, &progress) => report,
        interrupted = interruption() => interrupted,
    };
    paused.resume(stack).await?;
    let report = outcome?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        progress.line(&table::text(&report));
    }
    Ok(())
}

/// Without this, Ctrl-C would leave the warmer without its schedule.
async fn interruption() -> Result<Report> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        came = tokio::signal::ctrl_c() => came?,
        _ = terminate.recv() => {}
    }
    bail!("Interrupted. The warmer's schedule is on again.")
}

/// As many at once as each function has environments ready, and one more.
async fn crowds(stack: &Stack) -> Result<[Vec<Crowd>; 2]> {
    let mut variables = emulator::variables(stack, &warmer()).await?;
    let targets = variables.remove("WARM_TARGETS");
    let targets = targets.context("The warmer has no targets. Remedy: cargo holdfast up")?;
    let targets: Vec<WarmTarget> = serde_json::from_str(&targets)?;
    let kept = targets.iter().filter(|target| target.concurrency > 0);
    let fitting: Result<Vec<Crowd>> = kept
        .map(|target| crowd_of(target, target.concurrency))
        .collect();
    let all = targets.iter();
    let larger: Result<Vec<Crowd>> = all
        .map(|target| crowd_of(target, target.concurrency + 1))
        .collect();
    Ok([fitting?, larger?])
}

fn crowd_of(target: &WarmTarget, at_once: usize) -> Result<Crowd> {
    let function = short(&target.function);
    let mut routes = ROUTES.iter();
    let route = routes.find(|route| route.function == function);
    Ok(Crowd {
        route: route.with_context(|| format!("No route of `{function}` is known here."))?,
        kept_ready: target.concurrency,
        at_once,
        without: Vec::new(),
        with: Vec::new(),
    })
}

/// The warmer, as it is deployed.
fn warmer() -> String {
    format!("holdfast-{STAGE}-warmer")
}

/// `auth` of `holdfast-local-auth:live`.
fn short(function: &str) -> &str {
    let name = function
        .split_once(':')
        .map_or(function, |(name, _alias)| name);
    name.trim_start_matches(&format!("holdfast-{STAGE}-"))
}

async fn measure(
    stack: &Stack,
    options: &Options,
    mut crowds: [Vec<Crowd>; 2],
    progress: &Progress,
) -> Result<Report> {
    let mut customers = Customers::of(stack)?;
    // It never runs beside itself, so whatever its schedule had begun is over after this one.
    schedule::run_once(stack).await?;
    let runs = progress
        .step("rounds", async |step| {
            let mut runs = Vec::new();
            for round in 0..=options.rounds {
                step.say(format!("round {round} of {}", options.rounds));
                customers.sign_in().await?;
                let seen = play(stack, &customers, &mut crowds).await?;
                // The first round brings the programs into memory.
                match round {
                    0 => crowds.iter_mut().flatten().for_each(Crowd::forget),
                    _ => runs.extend(seen),
                }
            }
            let words = format!("{} rounds, without and with", options.rounds);
            Ok((runs, words))
        })
        .await?;
    let mut rows: Vec<Row> = crowds.iter().flatten().map(Row::of).collect();
    rows.sort_by(|a, b| (&a.function, a.at_once).cmp(&(&b.function, b.at_once)));
    Ok(Report {
        rounds: options.rounds,
        functions: rows,
        cost: Cost::of(&runs),
    })
}

/// One round: without and with the warmer in turn, so that what else the machine does hits both.
async fn play(
    stack: &Stack,
    customers: &Customers,
    crowds: &mut [Vec<Crowd>; 2],
) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for crowds in crowds {
        for mode in [Mode::Without, Mode::With] {
            runs.extend(crowd::come(stack, customers, crowds, mode).await?);
        }
    }
    Ok(runs)
}

impl Row {
    fn of(crowd: &Crowd) -> Self {
        Self {
            function: crowd.route.function.into(),
            route: crowd.route.name(),
            kept_ready: crowd.kept_ready,
            at_once: crowd.at_once,
            without: Figures::of(&crowd.without),
            with: Figures::of(&crowd.with),
        }
    }
}

impl Cost {
    fn of(runs: &[Run]) -> Self {
        let took = runs.iter().map(|run| run.took.as_secs_f64() * 1_000.0);
        Self {
            invocations: runs.first().map_or(0, Run::invocations),
            warmer_ms: median(took).unwrap_or_default(),
            warm_ups_ms: median(runs.iter().filter_map(|run| run.warm_ups_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_is_called_as_its_folder_is() {
        assert_eq!(short("holdfast-local-auth:live"), "auth");
        assert_eq!(short("products"), "products");
    }
}
