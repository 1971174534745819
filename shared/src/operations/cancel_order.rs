//! Calls an order off: releases its stock and pays back what was charged.

use uuid::Uuid;

use super::OperationError;
use super::record_payment::{Finding, Hears, end, record_payment};
use super::refund_order;
use super::settle_payment::record;
use crate::domain::events::Event;
use crate::domain::ids;
use crate::domain::order::{OrderError, OrderStatus};
use crate::events;
use crate::state::Selling;
use crate::store::orders::Locked;
use crate::store::payments::{Attempt, AttemptState};
use crate::store::refunds::NewRefund;
use crate::store::{fulfilments, orders, outbox, payments, reservations};

const OUTCOME_UNKNOWN: &str = "It is not known yet whether the payment was made.";
const NOT_NOW: &str = "An order can be cancelled only before it is sent.";

/// What is to be done outside of the first transaction.
enum Next {
    Nothing,
    /// The payment must be cancelled at the provider first.
    CancelPayment(Attempt),
    /// Money is to be paid back.
    Refund(Uuid),
}

/// Calls an order off. An order that was called off before stays so.
///
/// # Errors
/// Its state does not allow it, or its payment's outcome is not known.
pub async fn cancel_order(
    state: &Selling,
    order_id: Uuid,
    actor: Uuid,
) -> Result<(), OperationError> {
    cancel(state, order_id, actor).await?;
    // Told before, a worker would ask the provider for the same refund at the same moment.
    events::publish(state, order_id).await;
    Ok(())
}

async fn cancel(state: &Selling, order_id: Uuid, actor: Uuid) -> Result<(), OperationError> {
    match cancel_here(state, order_id, actor).await? {
        Next::Nothing => Ok(()),
        Next::Refund(refund_id) => refund_order::attempt(state, refund_id).await,
        Next::CancelPayment(attempt) => {
            let payment_id = attempt.provider_payment_id.as_deref().unwrap_or_default();
            let finding = state.payments.cancel(payment_id).await?.into();
            record(state, order_id, attempt.id, &finding, Hears::ByMail).await?;
            match finding {
                Finding::Cancelled => Ok(()),
                // It was paid at the last moment: cancelled like any paid order.
                _ => match cancel_here(state, order_id, actor).await? {
                    Next::Refund(refund_id) => refund_order::attempt(state, refund_id).await,
                    Next::Nothing => Ok(()),
                    Next::CancelPayment(_) => Err(OrderError::Conflict(OUTCOME_UNKNOWN).into()),
                },
            }
        }
    }
}

async fn cancel_here(state: &Selling, order_id: Uuid, actor: Uuid) -> Result<Next, OperationError> {
    state
        .database
        .transact(async |tx| next(tx, order_id, actor).await)
        .await
}

async fn next(
    tx: &mut sqlx::PgConnection,
    order_id: Uuid,
    actor: Uuid,
) -> Result<Next, OperationError> {
    let order = orders::lock(tx, order_id)
        .await?
        .ok_or(OrderError::NotFound)?;
    match order.status {
        OrderStatus::Cancelled => Ok(Next::Nothing),
        OrderStatus::PaymentPending => {
            let attempt = payments::lock_latest(tx, order_id).await?;
            match attempt {
                Some(attempt) if attempt.state == AttemptState::RequiresAction => {
                    Ok(Next::CancelPayment(attempt))
                }
                Some(attempt) if attempt.state == AttemptState::Pending => {
                    let finding = Finding::Cancelled;
                    record_payment(tx, &order, &attempt, &finding, Hears::ByMail).await?;
                    Ok(Next::Nothing)
                }
                // Cancelled for another way to pay, which then was not taken.
                Some(attempt) if attempt.state == AttemptState::Cancelled => {
                    end(tx, &order, OrderStatus::Cancelled).await?;
                    outbox::add(tx, order_id, &Event::OrderCancelled { order_id }).await?;
                    Ok(Next::Nothing)
                }
                _ => Err(OrderError::Conflict(OUTCOME_UNKNOWN).into()),
            }
        }
        OrderStatus::PaymentUnknown => Err(OrderError::Conflict(OUTCOME_UNKNOWN).into()),
        OrderStatus::Paid if !fulfilments::any_sent(tx, order_id).await? => {
            cancel_paid(tx, &order, actor).await
        }
        _ => Err(OrderError::Conflict(NOT_NOW).into()),
    }
}

async fn cancel_paid(
    tx: &mut sqlx::PgConnection,
    order: &Locked,
    actor: Uuid,
) -> Result<Next, OperationError> {
    orders::set_status(tx, order.id, OrderStatus::Cancelled).await?;
    reservations::release(tx, order.id).await?;
    outbox::add(tx, order.id, &Event::OrderCancelled { order_id: order.id }).await?;
    let amount_minor = order.captured_minor - order.refunded_minor;
    if amount_minor == 0 {
        return Ok(Next::Nothing);
    }
    let refund_id = ids::derived("cancellation", order.id, "");
    let refund = NewRefund {
        id: refund_id,
        order_id: order.id,
        amount_minor,
        reason: "cancelled",
        created_by: actor,
    };
    refund_order::request(tx, &refund).await?;
    Ok(Next::Refund(refund_id))
}
