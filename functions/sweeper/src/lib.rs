//! `sweeper`: every minute, whatever was left over.
#![recursion_limit = "256"]

mod catalogue;
mod erasure;
mod reports;

use lambda_runtime::Error;
use serde_json::{Value, json};
use shared::events;
use shared::operations::{
    OperationError, finish_intent, project_catalogue, reconcile, refund_order, settle_payment,
};
use shared::resilience::policies::{INTENTS_RESERVE, SETTLE_RESERVE};
use shared::state::Sweeper;
use shared::store::{database, orders, refunds};
use uuid::Uuid;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Sweeper>;

/// Orders and refunds per run and job; what is left over is next minute's.
const PER_RUN: i64 = 100;

/// Runs every job. One that fails does not keep the others from running.
///
/// # Errors
/// Some job failed, after all have run: the schedule's alarm is to see it.
pub async fn run(state: AppState) -> Result<Value, Error> {
    // First, because whoever ordered without the database has waited longest.
    let intents = finish_intent::finish_intents(&state, INTENTS_RESERVE).await;
    let payments = settle_payment::settle_payments(&state, SETTLE_RESERVE).await;
    let refunds = make_refunds(&state).await;
    let reservations = expire_reservations(&state).await;
    let reconciled = reconcile::reconcile(&state).await;
    let erased = erasure::erase(&state).await;
    let forgotten = reports::forget(&state).await.map_err(OperationError::from);
    let lost = events::send_again(&state)
        .await
        .map_err(OperationError::from);
    // Last, because the others add events.
    let events = events::sweep(&state).await.map_err(OperationError::from);
    let trending = project_catalogue::trending(&state).await;
    // After these, because it may take its time.
    let catalogue = catalogue::compare(&state).await;
    report(vec![
        ("intents", counted(intents)),
        ("payments", counted(payments)),
        ("refunds", counted(refunds)),
        ("reservations", counted(reservations)),
        ("reconciled", counted(reconciled)),
        ("erased", counted(erased)),
        ("forgotten", counted(forgotten)),
        ("lost", counted(lost)),
        ("events", counted(events)),
        ("trending", trending.map(Value::from).map_err(Error::from)),
        ("catalogue", catalogue),
    ])
}

fn counted(result: Result<usize, OperationError>) -> Result<Value, Error> {
    Ok(result?.into())
}

fn report(jobs: Vec<(&'static str, Result<Value, Error>)>) -> Result<Value, Error> {
    let mut done = json!({});
    let mut failed = Vec::new();
    for (job, result) in jobs {
        match result {
            Ok(count) => done[job] = count,
            Err(error) => {
                tracing::error!(
                    job,
                    error = shared::telemetry::chain(error.as_ref()),
                    "the job failed"
                );
                failed.push(job);
            }
        }
    }
    tracing::info!(done = %done, "swept");
    if failed.is_empty() {
        Ok(done)
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

/// Makes refunds that no message has made.
async fn make_refunds(state: &AppState) -> Result<usize, OperationError> {
    let mut tx = state.database.begin().await?;
    let due = refunds::unsettled(&mut tx, PER_RUN).await?;
    database::commit(tx).await?;
    each(&due, |refund| refund_order::make(state, refund)).await
}

/// Ends orders whose customer did not authenticate in time.
async fn expire_reservations(state: &AppState) -> Result<usize, OperationError> {
    let mut tx = state.database.begin().await?;
    let due = orders::expired_reservations(&mut tx, PER_RUN).await?;
    database::commit(tx).await?;
    each(&due, |order| {
        settle_payment::expire_reservation(state, order)
    })
    .await
}

/// Goes through all, one after the other. One that fails does not keep the
/// others waiting; the first failure is told at the end.
async fn each<F>(ids: &[Uuid], work: impl Fn(Uuid) -> F) -> Result<usize, OperationError>
where
    F: Future<Output = Result<(), OperationError>>,
{
    let mut result = Ok(ids.len());
    for id in ids {
        if let Err(error) = work(*id).await {
            tracing::warn!(id = %id, error = shared::telemetry::chain(&error), "left for the next run");
            result = result.and(Err(error));
        }
    }
    result
}
