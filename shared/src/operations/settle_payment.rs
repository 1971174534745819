//! Finds out what an order's payment came to, charging under its key if need be.

use sqlx::PgConnection;
use time::Duration;
use uuid::Uuid;

use super::record_payment::{Finding, Hears, end, record_payment};
use super::{OperationError, Tally};
use crate::domain::events::Event;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderStatus, PaymentMethodKind};
use crate::events::{self, Work};
use crate::providers::payments::{Charge, Outcome, PaymentError, WebhookEvent};
use crate::state::Selling;
use crate::store::orders::Locked;
use crate::store::payments::{Attempt, AttemptState};
use crate::store::wallets::{self, Added, EntryKind, NewEntry};
use crate::store::{StoreError, database, orders, outbox, payments, webhooks};
use crate::{clock, context, telemetry};

/// How long a repeated key is surely answered with what the first request came
/// to. Stripe may forget keys after 24 hours.
pub(super) const PROVIDER_KEY_KNOWN: Duration = Duration::hours(23);

/// Orders per listing.
const PER_PAGE: i64 = 100;

/// How far the provider's clock may be from ours.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// Charges an attempt that is leased to the caller. A repeat is answered by the
/// provider with what the first came to.
pub async fn charge(state: &Selling, attempt: &Attempt) -> Finding {
    let currency = Currency::try_from(attempt.currency.trim()).unwrap_or(state.currency);
    let charge = Charge {
        key: &attempt.provider_key,
        amount: Money::new(attempt.amount_minor, currency),
        payment_method: attempt.provider_method_id.as_deref().unwrap_or_default(),
        customer: attempt.provider_customer_id.as_deref(),
        order_id: attempt.order_id,
        attempt_id: attempt.id,
    };
    let answer = state.payments.charge(&charge).await;
    if let Err(error) = &answer {
        tracing::warn!(order.id = %attempt.order_id, error = %error, "the charge has no outcome");
    }
    answer.into()
}

/// Goes on with an order whose payment has no outcome: the worker's and the
/// sweeper's part; whether the provider told one now. Nothing happens when somebody
/// else is at it.
///
/// # Errors
/// The database's.
pub async fn settle_payment(state: &Selling, order_id: Uuid) -> Result<bool, OperationError> {
    let Some((attempt, certain)) = lease(state, order_id).await? else {
        return Ok(false);
    };
    let finding = match certain {
        true => charge(state, &attempt).await,
        false => find_out(state, &attempt).await,
    };
    record(state, order_id, attempt.id, &finding, Hears::ByMail).await?;
    Ok(!matches!(
        finding,
        Finding::Unknown { .. } | Finding::NotCharged
    ))
}

/// Goes on with every order whose payment has no outcome and that nobody is at, the oldest first,
/// while more than `reserve` is left of the deadline; how many. Once the provider told an outcome,
/// the workers are told of the others. One that fails keeps no other waiting.
///
/// # Errors
/// The database's.
pub async fn settle_payments(
    state: &Selling,
    reserve: std::time::Duration,
) -> Result<Work, OperationError> {
    let mut tally = Tally::default();
    loop {
        let due = state
            .database
            .write(async |tx| payments::unsettled_orders(tx, PER_PAGE).await)
            .await?;
        let is_last = due.len() < PER_PAGE as usize;
        let mut are_workers_told = false;
        for (index, &order_id) in due.iter().enumerate() {
            if context::deadline().remaining() <= reserve {
                return tally.end();
            }
            match settle_payment(state, order_id).await {
                Ok(has_outcome) => {
                    tally.done();
                    if has_outcome && !are_workers_told {
                        tell_workers(state, &due[index + 1..]).await;
                        are_workers_told = true;
                    }
                }
                Err(error) => {
                    let chain = telemetry::chain(&error);
                    tracing::warn!(order.id = %order_id, error = chain, "left for the next run");
                    tally.left(error);
                }
            }
        }
        if is_last {
            return tally.end();
        }
    }
}

/// The order itself is the truth: what no worker hears of is done by the caller.
async fn tell_workers(state: &Selling, orders: &[Uuid]) {
    let due = |&order_id: &Uuid| (order_id, Event::PaymentDue { order_id });
    events::nudge_all(state, &orders.iter().map(due).collect::<Vec<_>>()).await;
}

/// What an attempt that may have been charged came to. Its key tells, while the
/// provider knows it; after that, the provider's list of payments.
pub async fn find_out(state: &Selling, attempt: &Attempt) -> Finding {
    if clock::now() - attempt.created_at > PROVIDER_KEY_KNOWN {
        return match state
            .payments
            .find(attempt.id, attempt.created_at - CLOCK_SKEW)
            .await
        {
            Ok(Some(outcome)) => outcome.into(),
            Ok(None) => Finding::NotCharged,
            Err(_) => Finding::Unknown { payment_id: None },
        };
    }
    match charge(state, attempt).await {
        // That this request charged nothing proves nothing about the one before.
        Finding::NotCharged => Finding::Unknown { payment_id: None },
        finding => finding,
    }
}

/// Takes the lease of an attempt that waits; and whether it is certain that it
/// was not charged so far.
async fn lease(state: &Selling, order_id: Uuid) -> Result<Option<(Attempt, bool)>, OperationError> {
    let waits = |attempt: &Attempt| {
        let open = matches!(
            attempt.state,
            AttemptState::Pending | AttemptState::Started | AttemptState::Unknown
        );
        open && !attempt.leased && attempt.method == PaymentMethodKind::Card
    };
    let leased = state.database.write(async |tx| {
        orders::lock(tx, order_id).await?;
        let attempt = payments::lock_latest(tx, order_id).await?;
        let attempt = attempt.filter(waits);
        if let Some(attempt) = &attempt {
            payments::lease(tx, attempt.id).await?;
        }
        Ok(attempt)
    });
    Ok(leased.await?.map(|attempt| {
        let certain = attempt.state == AttemptState::Pending;
        (attempt, certain)
    }))
}

/// Records a finding about an attempt, if it still is the order's latest.
///
/// # Errors
/// The database's.
pub async fn record(
    state: &Selling,
    order_id: Uuid,
    attempt_id: Uuid,
    finding: &Finding,
    hears: Hears,
) -> Result<(), OperationError> {
    let recorded = state.database.transact(async |tx| {
        let order = orders::lock(tx, order_id).await?;
        let attempt = payments::lock_latest(tx, order_id)
            .await?
            .filter(|attempt| attempt.id == attempt_id);
        if let (Some(order), Some(attempt)) = (order, attempt) {
            record_payment(tx, &order, &attempt, finding, hears).await?;
        }
        Ok::<_, OperationError>(())
    });
    recorded.await?;
    events::publish(state, order_id).await;
    Ok(())
}

/// Ends an order whose customer did not authenticate in time. Cancelled at the
/// provider means released here, charged means finished, no answer means kept.
///
/// # Errors
/// The provider gave no answer, or the database's.
pub async fn expire_reservation(state: &Selling, order_id: Uuid) -> Result<(), OperationError> {
    let mut tx = state.database.begin().await?;
    let expired = database::within(async {
        let order = orders::lock(&mut tx, order_id).await?;
        let attempt = payments::lock_latest(&mut tx, order_id).await?;
        if let (Some(order), Some(attempt)) = (&order, &attempt)
            // For another way to pay, which then was not taken.
            && attempt.state == AttemptState::Cancelled
        {
            end(&mut tx, order, OrderStatus::Cancelled).await?;
            outbox::add(&mut tx, order_id, &Event::OrderCancelled { order_id }).await?;
        }
        Ok::<_, OperationError>(order.and(attempt))
    });
    let Some(attempt) = expired.await? else {
        return Ok(());
    };
    database::commit(tx).await?;
    match attempt.state {
        AttemptState::RequiresAction => {
            let payment_id = attempt.provider_payment_id.as_deref().unwrap_or_default();
            let finding = state.payments.cancel(payment_id).await?.into();
            record(state, order_id, attempt.id, &finding, Hears::ByMail).await
        }
        AttemptState::Cancelled => {
            events::publish(state, order_id).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Applies a stored webhook. What it says is not believed: it only tells that
/// the provider is to be asked, so order and repetition of webhooks do not matter.
///
/// # Errors
/// The provider gave no answer, or the database's.
pub async fn apply_webhook(state: &Selling, provider_event_id: &str) -> Result<(), OperationError> {
    let mut tx = state.database.begin().await?;
    let found = database::within(unapplied(&mut tx, provider_event_id)).await?;
    let Some((event, order)) = found else {
        return Ok(());
    };
    database::commit(tx).await?;
    if let (Some(payment_id), Some(order_id)) = (event.payment_id(), order) {
        ask_provider(state, order_id, payment_id, event.attempt_id()).await?;
    }
    let applied = state
        .database
        .write(async |tx| webhooks::mark_applied(tx, provider_event_id).await);
    Ok(applied.await?)
}

/// A webhook that was not applied yet, and the order whose payment it is about.
async fn unapplied(
    tx: &mut PgConnection,
    provider_event_id: &str,
) -> Result<Option<(WebhookEvent, Option<Uuid>)>, OperationError> {
    let Some(payload) = webhooks::unapplied(tx, provider_event_id).await? else {
        return Ok(None);
    };
    let event: WebhookEvent = serde_json::from_value(payload)
        .map_err(|error| StoreError::Defect(sqlx::Error::Decode(error.into())))?;
    let order = match event.payment_id() {
        Some(payment_id) => payments::order_of_payment(tx, payment_id, event.attempt_id()).await?,
        None => None,
    };
    Ok(Some((event, order)))
}

async fn ask_provider(
    state: &Selling,
    order_id: Uuid,
    payment_id: &str,
    attempt_id: Option<Uuid>,
) -> Result<(), OperationError> {
    let outcome = match state.payments.retrieve(payment_id).await? {
        // The customer's browser could still pay it after a failed authentication.
        Outcome::Declined { .. } => declined_for_good(state, payment_id).await?,
        // By whoever heard of the decline first.
        Outcome::Cancelled {
            payment_id,
            declined: true,
        } => Outcome::Declined {
            payment_id: Some(payment_id),
        },
        outcome => outcome,
    };
    if matches!(outcome, Outcome::Processing { .. }) {
        return Ok(());
    }
    let attempt = state
        .database
        .write(async |tx| payments::lock_latest(tx, order_id).await)
        .await?;
    let about = |attempt: &Attempt| {
        attempt.provider_payment_id.as_deref() == Some(payment_id) || Some(attempt.id) == attempt_id
    };
    let Some(attempt) = attempt.filter(about) else {
        return Ok(());
    };
    // Whoever charges at this moment tells the customer; if they die, the sweeper does.
    if attempt.leased && matches!(outcome, Outcome::AuthenticationRequired { .. }) {
        return Ok(());
    }
    record(state, order_id, attempt.id, &outcome.into(), Hears::ByMail).await
}

async fn declined_for_good(state: &Selling, payment_id: &str) -> Result<Outcome, PaymentError> {
    Ok(match state.payments.cancel(payment_id).await? {
        Outcome::Cancelled { payment_id, .. } => Outcome::Declined {
            payment_id: Some(payment_id),
        },
        outcome => outcome,
    })
}

/// Pays an attempt that began, as far as a transaction can: from the wallet, or
/// because nothing is to be paid. Otherwise it is the caller's to charge, outside
/// of the transaction, and leased to them.
///
/// # Errors
/// The database's.
pub async fn begin_payment(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: Attempt,
    hears: Hears,
) -> Result<Option<Attempt>, OperationError> {
    let finding = match attempt.method {
        PaymentMethodKind::Card if attempt.amount_minor > 0 => {
            // Ours, whether it was begun now or by a request that died: its lease is renewed.
            payments::lease(tx, attempt.id).await?;
            return Ok(Some(attempt));
        }
        PaymentMethodKind::Wallet => charge_wallet(tx, order, &attempt).await?,
        PaymentMethodKind::Card => Finding::Captured {
            payment_id: None,
            last4: None,
        },
    };
    record_payment(tx, order, &attempt, &finding, hears).await?;
    Ok(None)
}

/// Pays from the customer's wallet, in the transaction of the order: the money
/// is ours to move, so there is no outcome to wait for.
///
/// # Errors
/// The database's.
async fn charge_wallet(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
) -> Result<Finding, OperationError> {
    let entry = NewEntry {
        user_id: order.customer_id,
        kind: EntryKind::Payment,
        amount_minor: -attempt.amount_minor,
        order_id: Some(order.id),
        reference: &attempt.provider_key,
        reason: "",
        created_by: order.customer_id,
    };
    Ok(match wallets::add_entry(tx, &entry).await? {
        Added::Balance(_) => Finding::Captured {
            payment_id: None,
            last4: None,
        },
        Added::Insufficient | Added::NoWallet => Finding::Declined { payment_id: None },
    })
}
