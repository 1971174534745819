//! `dlq-replayer`: keeps what consumers gave up where an operator finds it, and sends it again when
//! its time has come.
#![recursion_limit = "256"]

mod keep;
mod replay;

use lambda_runtime::Error;
use serde_json::{Value, json};
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

/// Rows that one run ends at most because the journal's copy came through.
const CLOSED_PER_RUN: i64 = 1_000;

/// Ends what was handled meanwhile, replays what is due, counts what somebody must decide about,
/// and forgets what was done with long ago.
///
/// # Errors
/// The database is away; the next run does what this one could not.
pub async fn run(state: AppState) -> Result<Value, Error> {
    // First, so that nothing is sent that has been handled.
    let closed = close_handled(&state).await?;
    let replayed = replay(&state).await?;
    count_parked(&state).await?;
    let mut tx = state.database.begin().await?;
    let forget = dead_letters::forget(&mut tx, DEAD_LETTERS_KEPT, FORGOTTEN_PER_RUN);
    let forgotten = database::statement(forget).await?;
    database::commit(tx).await?;
    let done = json!({"closed": closed, "replayed": replayed, "forgotten": forgotten});
    tracing::info!(done = %done, "replayed");
    Ok(done)
}

/// Ends dead letters whose event came through by another way.
async fn close_handled(state: &AppState) -> Result<u64, StoreError> {
    let mut tx = state.database.begin().await?;
    let close = dead_letters::close_handled(&mut tx, CLOSED_PER_RUN);
    let closed = database::statement(close).await?;
    database::commit(tx).await?;
    Ok(closed)
}

/// Counts them for the alarm. A queue without any says nothing, and the alarm takes that for none.
async fn count_parked(state: &AppState) -> Result<(), StoreError> {
    let mut tx = state.database.begin().await?;
    let parked = database::statement(dead_letters::parked(&mut tx)).await?;
    database::commit(tx).await?;
    for (queue, count) in parked {
        // Counts are far below what a float holds exactly.
        telemetry::count(("queue", &queue), &[("DeadLettersParked", count as f64)]);
    }
    Ok(())
}
