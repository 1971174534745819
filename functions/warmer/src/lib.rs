//! Keeps environments of the HTTP functions warm.

use futures::future::join_all;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::config::WarmTarget;
use shared::events::WarmUp;
use shared::providers::functions::Functions;
use shared::state::Warmer;
use shared::telemetry;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Warmer>;

/// What became of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warmed {
    /// `name:alias`.
    pub function: String,
    /// Environments that were to be warm.
    pub asked: usize,
    /// Environments that answered.
    pub answered: usize,
}

/// Warms every target, all at once. The policy of invoking bounds how many run.
///
/// # Errors
/// There are targets and none answered: a warmer that reaches nobody must be noticed.
pub async fn keep_warm(state: AppState) -> Result<Value, Error> {
    let targets = state.config.targets.iter();
    let warmed = join_all(targets.map(|target| warm(&state.functions, target))).await;
    let asked: usize = warmed.iter().map(|target| target.asked).sum();
    if asked > 0 && warmed.iter().all(|target| target.answered == 0) {
        return Err("no function answered".into());
    }
    Ok(serde_json::to_value(warmed)?)
}

/// Warms one target. Its failures are logged and stop nothing else.
async fn warm(functions: &Functions, target: &WarmTarget) -> Warmed {
    let payload = serde_json::json!(WarmUp::one_of(target.concurrency)).to_string();
    let invocations = (0..target.concurrency).map(|_| functions.invoke(&target.function, &payload));
    let answers = join_all(invocations).await;
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        tracing::warn!(
            function = target.function,
            error = telemetry::chain(error),
            "not warmed"
        );
    }
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    let asked = target.concurrency;
    tracing::info!(function = target.function, asked, answered, "warmed");
    Warmed {
        function: target.function.clone(),
        asked,
        answered,
    }
}
