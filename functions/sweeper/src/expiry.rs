//! Forgets what had its time: docs/ARCHITECTURE.md says of every table how long its rows are kept.

use shared::resilience::policies::{ANSWERS_KEPT, JOB_RUNS_KEPT, MAIL_TOKENS_KEPT, WEBHOOKS_KEPT};
use shared::store::{PgConnection, StoreError, idempotency, jobs, mail_tokens, webhooks};

use crate::AppState;

/// Rows of each kind that one run forgets at most; what is left over is next minute's.
const PER_RUN: i64 = 2_000;

/// Forgets answers to repeated requests, mailed tokens, webhooks and runs of jobs that are too
/// old to be of use; how many.
///
/// # Errors
/// The database's.
pub(crate) async fn forget(state: &AppState) -> Result<usize, StoreError> {
    let forgotten = state
        .database
        .transact(async |tx| forget_oldest(tx).await)
        .await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}

async fn forget_oldest(tx: &mut PgConnection) -> Result<u64, StoreError> {
    let answers = idempotency::forget(tx, ANSWERS_KEPT, PER_RUN).await?;
    let tokens = mail_tokens::forget(tx, MAIL_TOKENS_KEPT, PER_RUN).await?;
    let webhooks = webhooks::forget(tx, WEBHOOKS_KEPT, PER_RUN).await?;
    let runs = jobs::forget_runs(tx, JOB_RUNS_KEPT, PER_RUN).await?;
    Ok(answers + tokens + webhooks + runs)
}
