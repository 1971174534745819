//! Places orders that were accepted while no database node took writes.

use std::time::Duration;

use uuid::Uuid;

use super::place_order::{Request, Terms, place_order};
use super::record_payment::Hears;
use super::settle_payment::{begin_payment, charge, record, settle_payment};
use super::{OperationError, Tally};
use crate::context;
use crate::domain::events::Event;
use crate::domain::intent::{IntentState, OrderIntent, Rejection};
use crate::domain::order::{OrderError, OrderStatus};
use crate::dynamo::DynamoError;
use crate::events::{self, Work};
use crate::state::Selling;
use crate::store::idempotency::{self, Scope};
use crate::store::orders::NewOrder;
use crate::store::payments::Attempt;
use crate::store::{PgConnection, StoreError, accounts, database, orders, outbox, payments};
use crate::telemetry;

/// The route that intents' keys belong to.
pub const ROUTE: &str = "POST /checkout";

/// Accepted orders per listing.
const PER_LISTING: usize = 1_000;

/// Finishes one accepted order. Nothing happens when it was finished before.
///
/// # Errors
/// The database's, DynamoDB's.
pub async fn finish_intent(
    state: &Selling,
    customer_id: Uuid,
    order_id: Uuid,
) -> Result<(), OperationError> {
    match state.intents.find(customer_id, order_id).await? {
        Some(intent) if intent.state == IntentState::Pending => finish(state, &intent).await,
        _ => Ok(()),
    }
}

/// Finishes accepted orders, the oldest first, while more than `reserve` is left
/// of the deadline; how many. Once one succeeded there is a writer, and the workers
/// are told of the others. Without a writer it stops: nothing is lost. One that fails
/// otherwise keeps no other waiting.
///
/// # Errors
/// The database's, DynamoDB's.
pub async fn finish_intents(state: &Selling, reserve: Duration) -> Result<Work, OperationError> {
    let mut tally = Tally::default();
    let waiting = state.intents.oldest(PER_LISTING).await?;
    for (index, intent) in waiting.iter().enumerate() {
        if context::deadline().remaining() <= reserve {
            break;
        }
        match finish(state, intent).await {
            Ok(()) => {
                if tally.done() == 1 {
                    let others = waiting[index + 1..].iter();
                    let others: Vec<_> = others
                        .map(|other| (other.order_id, other.event()))
                        .collect();
                    events::nudge_all(state, &others).await;
                }
            }
            Err(error) if has_no_writer(&error) => break,
            Err(error) => {
                let (id, chain) = (intent.order_id, telemetry::chain(&error));
                tracing::error!(order.id = %id, error = chain, "an accepted order is not finished");
                tally.left(error);
            }
        }
    }
    tally.end()
}

/// Whether an operation failed because there is no database to write to.
pub fn has_no_writer(error: &OperationError) -> bool {
    matches!(error, OperationError::Store(StoreError::Unavailable(_)))
}

/// Calls an accepted order off before it was placed. One that was placed stays as it is.
///
/// # Errors
/// The database's, DynamoDB's.
pub async fn cancel_intent(state: &Selling, intent: &OrderIntent) -> Result<(), OperationError> {
    let order_id = intent.order_id;
    let event = Event::OrderCancelled { order_id };
    database::within(end(state, intent, OrderStatus::Cancelled, &event)).await?;
    events::publish(state, order_id).await;
    Ok(state.intents.mark_done(intent).await?)
}

async fn finish(state: &Selling, intent: &OrderIntent) -> Result<(), OperationError> {
    let order_id = intent.order_id;
    match database::within(place(state, intent)).await {
        Ok(Placed::ToCharge(attempt)) => {
            let finding = charge(state, &attempt).await;
            record(state, order_id, attempt.id, &finding, Hears::ByMail).await?;
        }
        Ok(Placed::Paid) => events::publish(state, order_id).await,
        // The first attempt had committed, or somebody else was faster.
        Ok(Placed::Before) => settle_payment(state, order_id).await.map(drop)?,
        Err(OperationError::Order(error)) => return reject(state, intent, error).await,
        Err(error) => return Err(error),
    }
    // The database tells the rest from here on.
    state.intents.mark_done(intent).await?;
    clear_cart(state, intent).await;
    Ok(())
}

/// How far the transaction came.
enum Placed {
    /// The order was there already.
    Before,
    /// The payment is made, or failed for good.
    Paid,
    /// The card is to be charged.
    ToCharge(Box<Attempt>),
}

/// What `POST /checkout` does in its first transaction, at the agreed prices.
async fn place(state: &Selling, intent: &OrderIntent) -> Result<Placed, OperationError> {
    let mut tx = state.database.begin().await?;
    idempotency::bind(&mut tx, &scope(intent)).await?;
    if orders::lock(&mut tx, intent.order_id).await?.is_some() {
        database::commit(tx).await?;
        return Ok(Placed::Before);
    }
    if !accounts::is_open(&mut tx, intent.customer_id).await? {
        return Err(OrderError::AccountClosed.into());
    }
    let request = Request {
        order_id: intent.order_id,
        customer_id: intent.customer_id,
        key: &intent.key,
        terms: Terms::Agreed {
            priced: &intent.agreed,
            at: intent.received_at,
        },
        address: &intent.address,
        means: &intent.means,
        currency: intent.agreed.totals.total.currency(),
    };
    let placed = match place_order(&mut tx, &request).await? {
        Some(_) => begin(&mut tx, intent.order_id).await?,
        None => Placed::Before,
    };
    database::commit(tx).await?;
    Ok(placed)
}

async fn begin(tx: &mut PgConnection, order_id: Uuid) -> Result<Placed, OperationError> {
    let order = orders::lock(tx, order_id).await?;
    let attempt = payments::lock_latest(tx, order_id).await?;
    let (Some(order), Some(attempt)) = (order, attempt) else {
        return Err(OrderError::NotFound.into());
    };
    let to_charge = begin_payment(tx, &order, attempt, Hears::ByMail).await?;
    Ok(to_charge.map_or(Placed::Paid, |attempt| Placed::ToCharge(Box::new(attempt))))
}

/// Stores an order that cannot be filled, and why.
async fn reject(
    state: &Selling,
    intent: &OrderIntent,
    error: OrderError,
) -> Result<(), OperationError> {
    let Some(Rejection { reason, skus }) = Rejection::because_of(&error) else {
        return Err(error.into());
    };
    let order_id = intent.order_id;
    let event = Event::OrderRejected {
        order_id,
        reason,
        skus,
    };
    database::within(end(state, intent, OrderStatus::Rejected, &event)).await?;
    events::publish(state, order_id).await;
    Ok(state.intents.mark_done(intent).await?)
}

/// Stores an order that ends without having been placed. One that is there stays as it is.
async fn end(
    state: &Selling,
    intent: &OrderIntent,
    status: OrderStatus,
    event: &Event,
) -> Result<(), OperationError> {
    let mut tx = state.database.begin().await?;
    idempotency::bind(&mut tx, &scope(intent)).await?;
    let order = NewOrder {
        id: intent.order_id,
        customer_id: intent.customer_id,
        key: &intent.key,
        priced: &intent.agreed,
        address: &intent.address,
        method: intent.means.kind(),
        received_at: Some(intent.received_at),
    };
    if orders::insert(&mut tx, &order).await?.is_some() {
        orders::set_status(&mut tx, order.id, status).await?;
        outbox::add(&mut tx, order.id, event).await?;
    }
    Ok(database::commit(tx).await?)
}

/// Removes the cart, unless it was changed meanwhile. Only tidiness.
async fn clear_cart(state: &Selling, intent: &OrderIntent) {
    let Some(cart) = intent.cart else { return };
    match state.carts.delete_cart(cart.id, Some(cart.version)).await {
        Ok(()) | Err(DynamoError::ConditionFailed) => {}
        Err(error) => tracing::warn!(error = %error, "an ordered cart is left"),
    }
}

fn scope(intent: &OrderIntent) -> Scope<'_> {
    Scope {
        caller: intent.customer_id,
        route: ROUTE,
        key: &intent.key,
        fingerprint: intent.fingerprint,
    }
}
