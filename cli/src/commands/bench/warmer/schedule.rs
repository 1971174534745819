//! The warmer's schedule: switched off meanwhile, because a run of its own in the middle of what is
//! measured without it would spoil that; and its runs, which are made here instead.

use super::{short, warmer};
use crate::emulator;
use anyhow::{Context, Result, bail, ensure};
use local::{Stack, aws};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a run that is under way may last.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// The alias that schedules invoke.
const ALIAS: &str = "live";

/// Rules that are switched off until [`Paused::resume`].
pub(super) struct Paused(Vec<String>);

/// Switches off whatever invokes the warmer by itself.
///
/// # Errors
/// There is no such rule, or the emulator is away.
pub(super) async fn pause(stack: &Stack) -> Result<Paused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Rules {
        rule_names: Vec<String>,
    }
    let (region, account) = (aws::REGION, aws::ACCOUNT);
    let target = format!(
        "arn:aws:lambda:{region}:{account}:function:{}:{ALIAS}",
        warmer()
    );
    let input = json!({ "TargetArn": target });
    let rules: Rules = emulator::event_bridge(stack, "ListRuleNamesByTarget", &input).await?;
    ensure!(
        !rules.rule_names.is_empty(),
        "The warmer has no schedule. Remedy: cargo holdfast up"
    );
    switch(stack, &rules.rule_names, "DisableRule").await?;
    Ok(Paused(rules.rule_names))
}

impl Paused {
    /// Switches them on, also those that a run which was killed has left off.
    ///
    /// # Errors
    /// The emulator is away.
    pub(super) async fn resume(self, stack: &Stack) -> Result<()> {
        let resumed = switch(stack, &self.0, "EnableRule").await;
        resumed.context("The warmer's schedule is off. Remedy: cargo holdfast bench warmer")
    }
}

async fn switch(stack: &Stack, rules: &[String], operation: &str) -> Result<()> {
    for rule in rules {
        let input = json!({ "Name": rule });
        emulator::event_bridge::<Value>(stack, operation, &input).await?;
    }
    Ok(())
}

/// One run of the warmer.
pub(super) struct Run {
    warmed: Vec<Warmed>,
    /// Until its answer.
    pub(super) took: Duration,
    /// All its warm-ups together; none before their lines are found.
    pub(super) warm_ups_ms: Option<f64>,
}

/// As the warmer answers.
#[derive(Deserialize)]
struct Warmed {
    function: String,
    asked: usize,
    answered: usize,
}

impl Run {
    /// Its own and those that it made.
    pub(super) fn invocations(&self) -> usize {
        let asked: usize = self.warmed.iter().map(|warmed| warmed.asked).sum();
        1 + asked
    }

    /// Environments of a function that it warmed.
    pub(super) fn asked(&self, function: &str) -> usize {
        let ours = self.warmed.iter();
        ours.filter(|warmed| short(&warmed.function) == function)
            .map(|warmed| warmed.asked)
            .sum()
    }
}

/// Invokes the warmer as its schedule does.
///
/// # Errors
/// It fails, or not every environment answered.
pub(super) async fn run_once(stack: &Stack) -> Result<Run> {
    let (warmed, took) = invoke(stack).await?;
    let warmed: Vec<Warmed> = serde_json::from_value(warmed)?;
    if let Some(short_of) = warmed.iter().find(|warmed| warmed.answered < warmed.asked) {
        bail!(
            "The warmer reached {} of {} environments of {}. See `cargo holdfast logs warmer`.",
            short_of.answered,
            short_of.asked,
            short_of.function
        );
    }
    Ok(Run {
        warmed,
        took,
        warm_ups_ms: None,
    })
}

/// It may not run beside itself: one that its schedule began before is waited for.
async fn invoke(stack: &Stack) -> Result<(Value, Duration)> {
    let waited = Instant::now();
    let function = format!("{}:{ALIAS}", warmer());
    loop {
        let begin = Instant::now();
        if let Some(answer) = emulator::invoke(stack, &function).await? {
            return Ok((answer, begin.elapsed()));
        }
        ensure!(
            waited.elapsed() < PATIENCE,
            "A run of the warmer does not end. See `cargo holdfast logs warmer`."
        );
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_counts_its_own_invocation_too() {
        let answer = r#"[{"function": "holdfast-local-auth:live", "asked": 1, "answered": 1},
            {"function": "holdfast-local-products:live", "asked": 2, "answered": 2}]"#;
        let run = Run {
            warmed: serde_json::from_str(answer).unwrap(),
            took: Duration::ZERO,
            warm_ups_ms: None,
        };
        assert_eq!(run.invocations(), 4);
        assert_eq!(run.asked("products"), 2);
        assert_eq!(run.asked("ops"), 0);
    }
}
