//! Environments end, the warmer runs or does not, and customers come.

use super::Mode;
use super::customers::{Customers, Route, Visit};
use super::figures::Sample;
use super::lines::Lines;
use super::schedule::{self, Run};
use anyhow::{Result, ensure};
use local::Stack;
use local::process::{self, Signal, environments_of};
use shared::clock;
use std::time::{Duration, Instant};

/// How long environments may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
/// How often a function's lines are looked for.
const LOOKS_MAX: usize = 10;

/// Requests at once to one route, and what became of them in all rounds.
pub(super) struct Crowd {
    pub(super) route: &'static Route,
    /// Environments that the warmer keeps.
    pub(super) kept_ready: usize,
    /// How many requests.
    pub(super) at_once: usize,
    pub(super) without: Vec<Sample>,
    pub(super) with: Vec<Sample>,
}

impl Crowd {
    /// Drops what was seen so far.
    pub(super) fn forget(&mut self) {
        self.without.clear();
        self.with.clear();
    }

    fn note(&mut self, mode: Mode, visits: &[Visit], lines: &Lines) {
        let samples = match mode {
            Mode::Without => &mut self.without,
            Mode::With => &mut self.with,
        };
        samples.extend(visits.iter().map(|visit| Sample {
            took: visit.took,
            met_cold_start: lines.met_cold_start(&visit.request_id),
        }));
    }
}

/// Ends every environment, lets the warmer run if it is to, and sends the crowds one after the
/// other. Answers what the warmer did.
///
/// # Errors
/// An answer is not what it should be, or somebody else warms the functions.
pub(super) async fn come(
    stack: &Stack,
    customers: &Customers,
    crowds: &mut [Crowd],
    mode: Mode,
) -> Result<Option<Run>> {
    let since_ms = clock::now_ms();
    end_environments(stack, crowds).await?;
    let mut run = match mode {
        Mode::Without => None,
        Mode::With => Some(schedule::run_once(stack).await?),
    };
    let mut visits = Vec::new();
    for crowd in crowds.iter() {
        visits.push(customers.burst(crowd.route, crowd.at_once).await?);
    }
    let mut warm_ups_ms = Some(0.0);
    for (crowd, visits) in crowds.iter_mut().zip(visits) {
        let function = crowd.route.function;
        let wanted = run.as_ref().map_or(0, |run| run.asked(function));
        let search = Search {
            stack,
            customers,
            since_ms,
        };
        let lines = search.until_found(crowd, &visits, wanted).await?;
        let found = lines.warm_ups_ms();
        ensure!(
            found.len() <= wanted,
            "Somebody else has warmed `{function}` meanwhile, so the figures say nothing. Start again."
        );
        warm_ups_ms = warm_ups_ms
            .filter(|_| found.len() == wanted)
            .map(|sum| sum + found.iter().sum::<f64>());
        crowd.note(mode, &visits, &lines);
    }
    if let Some(run) = &mut run {
        run.warm_ups_ms = warm_ups_ms;
    }
    Ok(run)
}

/// As Lambda takes away environments that were idle: they are not asked.
async fn end_environments(stack: &Stack, crowds: &[Crowd]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let functions = crowds.iter().map(|crowd| crowd.route.function);
        let left: Vec<u32> = functions
            .flat_map(|function| environments_of(stack, function))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < PATIENCE,
            "New environments come up all the time. Start again when nobody else uses the stack."
        );
        for pid in left {
            process::send(pid, Signal::Kill);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Where the lines of one part of a round are.
struct Search<'a> {
    stack: &'a Stack,
    customers: &'a Customers,
    since_ms: i64,
}

impl Search<'_> {
    /// The lines of a function, once they tell of every visit and of so many warm-ups; else what
    /// there is.
    async fn until_found(&self, crowd: &Crowd, visits: &[Visit], warm_ups: usize) -> Result<Lines> {
        let function = crowd.route.function;
        for _ in 0..LOOKS_MAX {
            let lines = Lines::since(self.stack, function, self.since_ms).await?;
            let told = |visit: &Visit| lines.met_cold_start(&visit.request_id).is_some();
            if visits.iter().all(told) && lines.warm_ups_ms().len() >= warm_ups {
                return Ok(lines);
            }
            // The emulator takes the lines of an environment when that answers: one that was late
            // comes with the next answer. These are not counted.
            self.customers.burst(crowd.route, crowd.at_once).await?;
        }
        Lines::since(self.stack, function, self.since_ms).await
    }
}
