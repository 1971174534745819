//! `sweeper`: every minute, whatever was left over.
#![recursion_limit = "256"]

mod catalogue;
mod erasure;
mod expiry;
mod reports;

use lambda_runtime::Error;
use serde_json::Value;
use shared::context;
use shared::domain::jobs::Job;
use shared::events::{self, Jobs, Work};
use shared::operations::{
    OperationError, Tally, finish_intent, project_catalogue, reconcile, refund_order,
    settle_payment,
};
use shared::resilience::policies::{EACH_RESERVE, INTENTS_RESERVE, SETTLE_RESERVE};
use shared::state::Sweeper;
use shared::store::{database, orders, refunds};
use uuid::Uuid;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Sweeper>;

/// Orders and refunds per run and job; what is left over is next minute's.
const PER_RUN: i64 = 100;

/// Runs every job that no other run is at. One that fails does not keep the others from running.
///
/// # Errors
/// Some job failed or left something, after all have run: the schedule's alarm is to see it.
pub async fn run(state: AppState) -> Result<Value, Error> {
    let mut jobs = Jobs::begin(&state);
    // First, because whoever ordered without the database has waited longest.
    let intents = finish_intent::finish_intents(&state, INTENTS_RESERVE);
    jobs.run(Job::Intents, intents).await;
    let payments = settle_payment::settle_payments(&state, SETTLE_RESERVE);
    jobs.run(Job::Payments, payments).await;
    jobs.run(Job::Refunds, make_refunds(&state)).await;
    jobs.run(Job::Reservations, expire_reservations(&state))
        .await;
    jobs.run(Job::Reconciliation, reconcile::reconcile(&state))
        .await;
    jobs.run(Job::ClosedAccounts, erasure::erase(&state)).await;
    jobs.run(Job::Reports, reports::forget(&state)).await;
    jobs.run(Job::Expiry, expiry::forget(&state)).await;
    jobs.run(Job::LostEvents, events::send_again(&state)).await;
    // After these, because they add events.
    jobs.run(Job::Outbox, events::sweep(&state)).await;
    jobs.run(Job::Trending, project_catalogue::trending(&state))
        .await;
    // Last, because it may take its time.
    jobs.run(Job::Catalogue, catalogue::compare(&state)).await;
    jobs.count_overdue().await;
    jobs.end()
}

/// Makes refunds that no message has made.
async fn make_refunds(state: &AppState) -> Result<Work, OperationError> {
    let mut tx = state.database.begin().await?;
    let due = refunds::unsettled(&mut tx, PER_RUN).await?;
    database::commit(tx).await?;
    each(&due, |refund| refund_order::make(state, refund)).await
}

/// Ends orders whose customer did not authenticate in time.
async fn expire_reservations(state: &AppState) -> Result<Work, OperationError> {
    let mut tx = state.database.begin().await?;
    let due = orders::expired_reservations(&mut tx, PER_RUN).await?;
    database::commit(tx).await?;
    each(&due, |order| {
        settle_payment::expire_reservation(state, order)
    })
    .await
}

/// Goes through all, one after the other. One that fails does not keep the
/// others waiting.
async fn each<F>(ids: &[Uuid], work: impl Fn(Uuid) -> F) -> Result<Work, OperationError>
where
    F: Future<Output = Result<(), OperationError>>,
{
    let mut tally = Tally::default();
    for id in ids {
        // What is left over is next minute's, and the jobs after this one have their time.
        if context::deadline().remaining() <= EACH_RESERVE {
            break;
        }
        if let Err(error) = work(*id).await {
            tracing::warn!(id = %id, error = shared::telemetry::chain(&error), "left for the next run");
            tally.left(error);
        } else {
            tally.done();
        }
    }
    tally.end()
}
