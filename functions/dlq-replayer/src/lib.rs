//! `dlq-replayer`: keeps what consumers gave up where an operator finds it, and sends it again when
//! its time has come.
#![recursion_limit = "256"]

mod keep;
mod replay;

use lambda_runtime::Error;
use serde_json::Value;
use shared::domain::jobs::Job;
use shared::events::Jobs;
use shared::resilience::policies::DEAD_LETTERS_KEPT;
use shared::state::DlqReplayer;
use shared::store::{StoreError, database, dead_letters};
use shared::telemetry;

pub use keep::keep;
pub use replay::replay;

/// What this function has at hand.
pub type AppState = shared::state::AppState<DlqReplayer>;

/// Rows that one run removes at most.
const FORGOTTEN_PER_RUN: i64 = 1_000;

/// Replays what is due, counts what somebody must decide about, and forgets what was done with
/// long ago.
///
/// # Errors
/// Some job failed; the next run does what this one could not.
pub async fn run(state: AppState) -> Result<Value, Error> {
    let mut jobs = Jobs::begin(&state);
    jobs.run(Job::Replays, replay(&state)).await;
    jobs.run(Job::Parked, count_parked(&state)).await;
    jobs.run(Job::DeadLetters, forget(&state)).await;
    jobs.end()
}

/// Forgets what was done with long ago; how many they were.
async fn forget(state: &AppState) -> Result<usize, StoreError> {
    let mut tx = state.database.begin().await?;
    let forget = dead_letters::forget(&mut tx, DEAD_LETTERS_KEPT, FORGOTTEN_PER_RUN);
    let forgotten = database::statement(forget).await?;
    database::commit(tx).await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}

/// Counts them for the alarm; of how many queues there are some. A queue without any says nothing,
/// and the alarm takes that for none.
async fn count_parked(state: &AppState) -> Result<usize, StoreError> {
    let mut tx = state.database.begin().await?;
    let parked = database::statement(dead_letters::parked(&mut tx)).await?;
    database::commit(tx).await?;
    for (queue, count) in &parked {
        // Counts are far below what a float holds exactly.
        telemetry::count(("queue", queue), &[("DeadLettersParked", *count as f64)]);
    }
    Ok(parked.len())
}
