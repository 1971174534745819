//! Pays an order back, in part or whole: stored first, then made, then recorded.

use sqlx::PgConnection;
use uuid::Uuid;

use super::OperationError;
use super::settle_payment::PROVIDER_KEY_KNOWN;
use crate::clock;
use crate::domain::events::Event;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderError, OrderStatus, PaymentMethodKind};
use crate::domain::payment::PaymentEventKind;
use crate::events;
use crate::providers::payments::PaymentError;
use crate::state::Selling;
use crate::store::orders::Locked;
use crate::store::payments::{self, Happened};
use crate::store::refunds::{self, NewRefund, Refund, RefundState};
use crate::store::wallets::{self, EntryKind, NewEntry};
use crate::store::{OnConstraint, database, orders, outbox};

/// Stores that money is to be paid back. The order is locked. A refund that is
/// stored already changes nothing.
///
/// # Errors
/// More than was captured and not paid back yet.
pub async fn request(tx: &mut PgConnection, refund: &NewRefund<'_>) -> Result<(), OperationError> {
    if !refunds::insert(tx, refund).await? {
        return Ok(());
    }
    orders::add_refunded(tx, refund.order_id, refund.amount_minor)
        .await
        .on_constraint("orders_refunded_at_most_captured", || {
            OperationError::from(OrderError::Conflict(
                "More than was charged cannot be paid back.",
            ))
        })?;
    let happened = Happened {
        kind: PaymentEventKind::RefundRequested,
        amount_minor: refund.amount_minor,
        reference: refund.id,
    };
    payments::record_event(tx, refund.order_id, &happened).await?;
    let event = Event::RefundDue {
        order_id: refund.order_id,
        refund_id: refund.id,
    };
    Ok(outbox::add(tx, refund.order_id, &event).await?)
}

/// Makes a stored refund now if it can be made; the worker makes it otherwise.
///
/// # Errors
/// The database's.
pub async fn attempt(state: &Selling, refund_id: Uuid) -> Result<(), OperationError> {
    match make(state, refund_id).await {
        Err(OperationError::Payment(error)) => {
            tracing::warn!(refund.id = %refund_id, error = %error, "the refund is made later");
            Ok(())
        }
        result => result,
    }
}

/// Makes a stored refund. One that was made before stays as it is.
///
/// # Errors
/// The provider gave no answer, or the database's.
pub async fn make(state: &Selling, refund_id: Uuid) -> Result<(), OperationError> {
    let mut tx = state.database.begin().await?;
    let begun = database::within(async {
        let Some((order, refund)) = lock(&mut tx, refund_id).await? else {
            return Ok(None);
        };
        let payment = refunds::captured_payment(&mut tx, order.id).await?;
        if order.payment_method == PaymentMethodKind::Wallet {
            credit_wallet(&mut tx, &order, &refund).await?;
            succeed(&mut tx, &order, &refund, None).await?;
        }
        Ok::<_, OperationError>(Some((order, refund, payment)))
    });
    let Some((order, refund, payment)) = begun.await? else {
        return Ok(());
    };
    database::commit(tx).await?;
    match (order.payment_method, payment) {
        (PaymentMethodKind::Wallet, _) => {}
        (PaymentMethodKind::Card, Some(payment_id)) => {
            let currency = Currency::try_from(order.currency.trim()).unwrap_or(state.currency);
            let amount = Money::new(refund.amount_minor, currency);
            let made = pay_back(state, &refund, &payment_id, amount).await;
            record(state, refund.id, made).await?;
        }
        (PaymentMethodKind::Card, None) => return Ok(()),
    }
    events::publish(state, order.id).await;
    Ok(())
}

/// Asks the provider for it, but not a second time for one whose key it has forgotten.
async fn pay_back(
    state: &Selling,
    refund: &Refund,
    payment_id: &str,
    amount: Money,
) -> Result<String, PaymentError> {
    if clock::now() - refund.created_at > PROVIDER_KEY_KNOWN
        && let Some(made) = state.payments.find_refund(refund.id, payment_id).await?
    {
        return Ok(made);
    }
    state.payments.refund(refund.id, payment_id, amount).await
}

/// A refund that is still to be made and its order, locked, the order first.
async fn lock(
    tx: &mut PgConnection,
    refund_id: Uuid,
) -> Result<Option<(Locked, Refund)>, OperationError> {
    let Some(order_id) = refunds::order_of(tx, refund_id).await? else {
        return Ok(None);
    };
    let order = orders::lock(tx, order_id).await?;
    let refund = refunds::lock(tx, refund_id)
        .await?
        .filter(|refund| refund.state == RefundState::Pending);
    Ok(order.zip(refund))
}

async fn record(
    state: &Selling,
    refund_id: Uuid,
    made: Result<String, PaymentError>,
) -> Result<(), OperationError> {
    let recorded = state.database.transact(async |tx| {
        let Some((order, refund)) = lock(tx, refund_id).await? else {
            return Ok(());
        };
        match made {
            Ok(provider_refund_id) => {
                succeed(tx, &order, &refund, Some(&provider_refund_id)).await
            }
            Err(PaymentError::Refused(refusal)) => {
                tracing::error!(order.id = %order.id, code = refusal.code, "the provider refused a refund");
                fail(tx, &order, &refund).await
            }
            Err(error) => Err(error.into()),
        }
    });
    recorded.await
}

async fn credit_wallet(
    tx: &mut PgConnection,
    order: &Locked,
    refund: &Refund,
) -> Result<(), OperationError> {
    let entry = NewEntry {
        user_id: order.customer_id,
        kind: EntryKind::Refund,
        amount_minor: refund.amount_minor,
        order_id: Some(order.id),
        reference: &format!("refund-{}", refund.id),
        reason: &refund.reason,
        created_by: order.customer_id,
    };
    wallets::add_entry(tx, &entry).await?;
    Ok(())
}

async fn succeed(
    tx: &mut PgConnection,
    order: &Locked,
    refund: &Refund,
    provider_refund_id: Option<&str>,
) -> Result<(), OperationError> {
    refunds::settle(tx, refund.id, RefundState::Succeeded, provider_refund_id).await?;
    event(tx, refund, PaymentEventKind::Refunded).await?;
    let whole = order.refunded_minor == order.captured_minor;
    let open = matches!(
        order.status,
        OrderStatus::Paid | OrderStatus::Fulfilled | OrderStatus::Delivered
    );
    if whole && open {
        orders::set_status(tx, order.id, OrderStatus::Refunded).await?;
    }
    Ok(())
}

async fn fail(
    tx: &mut PgConnection,
    order: &Locked,
    refund: &Refund,
) -> Result<(), OperationError> {
    refunds::settle(tx, refund.id, RefundState::Failed, None).await?;
    event(tx, refund, PaymentEventKind::RefundFailed).await?;
    Ok(orders::add_refunded(tx, order.id, -refund.amount_minor).await?)
}

async fn event(
    tx: &mut PgConnection,
    refund: &Refund,
    kind: PaymentEventKind,
) -> Result<(), OperationError> {
    let happened = Happened {
        kind,
        amount_minor: refund.amount_minor,
        reference: refund.id,
    };
    Ok(payments::record_event(tx, refund.order_id, &happened).await?)
}
