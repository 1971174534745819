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
use shared::store::{StoreError, dead_letters};
use shared::telemetry;

pub use keep::keep;
pub use replay::{ReplayError, replay};

/// What this function has at hand.
pub type AppState = shared::state::AppState<DlqReplayer>;

/// Rows that one run removes at most.
const FORGOTTEN_PER_RUN: i64 = 1_000;

/// Rows that one run ends at most because the journal's copy came through.
const CLOSED_PER_RUN: i64 = 1_000;

/// Ends what was handled meanwhile, replays what is due, counts what somebody must decide about,
/// and forgets what was done with long ago.
///
/// # Errors
/// Some job failed; the next run does what this one could not.
pub async fn run(state: AppState) -> Result<Value, Error> {
    let mut jobs = Jobs::begin(&state);
    // First, so that nothing is sent that has been handled.
    jobs.run(Job::DeadLetters, end_and_forget(&state)).await;
    jobs.run(Job::Replays, replay(&state)).await;
    jobs.run(Job::Parked, count_parked(&state)).await;
    jobs.end()
}

/// Ends dead letters whose event came through by another way, and forgets what was done with long
/// ago; how many they were.
async fn end_and_forget(state: &AppState) -> Result<usize, StoreError> {
    let changed = state.database.write(async |tx| {
        let closed = dead_letters::close_handled(tx, CLOSED_PER_RUN).await?;
        let forgotten = dead_letters::forget(tx, DEAD_LETTERS_KEPT, FORGOTTEN_PER_RUN).await?;
        Ok(closed + forgotten)
    });
    Ok(usize::try_from(changed.await?).unwrap_or(usize::MAX))
}

/// Counts them for the alarm; how many they are. A queue without any says nothing,
/// and the alarm takes that for none.
async fn count_parked(state: &AppState) -> Result<usize, StoreError> {
    let parked = state
        .database
        .write(async |tx| dead_letters::parked(tx).await)
        .await?;
    let mut all = 0;
    for (queue, count) in &parked {
        all += usize::try_from(*count).unwrap_or_default();
        // Counts are far below what a float holds exactly.
        telemetry::count(("queue", queue), &[("DeadLettersParked", *count as f64)]);
    }
    Ok(all)
}
