//! Refunds: never more than what was captured, however many come at once.

use serde_json::{Value, json};

use super::charges;
use super::errors::ApiError;
use super::form::Params;
use super::ledger::EntryKind;
use super::lists::Page;
use super::objects::{Charge, Metadata, Refund, fresh_id};
use super::routes::Operation;
use super::store::Tx;

const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer"];

pub(super) fn create(params: &mut Params) -> Result<Operation, ApiError> {
    let (intent, charge) = (params.text("payment_intent"), params.text("charge"));
    if intent.is_none() && charge.is_none() {
        let message = "One of the following params should be provided for this request: \
                       payment_intent or charge.";
        return Err(ApiError::invalid(message)
            .code("parameter_missing")
            .param("payment_intent"));
    }
    let amount = params.positive("amount")?;
    let reason = params.choice("reason", REASONS)?;
    let metadata = params.metadata()?;
    Ok(Box::new(move |tx| {
        let charge = charge_of(tx, intent.as_deref(), charge.as_deref())?;
        refund(tx, charge, amount, Details { reason, metadata })
    }))
}

pub(super) fn retrieve(id: String) -> Operation {
    Box::new(move |tx| Ok(json!(tx.refund(&id)?)))
}

/// Changes the metadata, the one thing of a refund that can change.
pub(super) fn update(id: String, params: &mut Params) -> Result<Operation, ApiError> {
    let metadata = params.metadata()?;
    Ok(Box::new(move |tx| {
        let mut refund = tx.refund(&id)?;
        refund.metadata.extend(metadata);
        refund.metadata.retain(|_, value| !value.is_empty());
        tx.put_refund(&refund);
        tx.emit("refund.updated", json!(refund));
        tx.emit("charge.refund.updated", json!(refund));
        Ok(json!(refund))
    }))
}

pub(super) fn list(params: &mut Params) -> Result<Operation, ApiError> {
    let page = Page::read(params)?;
    let (intent, charge) = (params.text("payment_intent"), params.text("charge"));
    Ok(Box::new(move |tx| {
        let keep = |refund: &Refund| {
            intent
                .as_ref()
                .is_none_or(|id| *id == refund.payment_intent)
                && charge.as_ref().is_none_or(|id| *id == refund.charge)
        };
        page.of("/v1/refunds", &tx.store.refunds, keep, |refund| {
            json!(refund)
        })
    }))
}

struct Details {
    reason: Option<&'static str>,
    metadata: Metadata,
}

/// The charge that has the money.
fn charge_of(tx: &Tx<'_>, intent: Option<&str>, charge: Option<&str>) -> Result<Charge, ApiError> {
    if let Some(id) = charge {
        let found = tx
            .charge(id)
            .filter(|found| intent.is_none_or(|id| id == found.payment_intent));
        return found.ok_or_else(|| ApiError::no_such_param("charge", id, "charge"));
    }
    let id = intent.unwrap_or_default();
    let intent = tx
        .store
        .intents
        .get(id)
        .ok_or_else(|| ApiError::no_such_param("payment_intent", id, "payment_intent"))?;
    let charge = intent.latest_charge.as_deref().and_then(|id| tx.charge(id));
    charge.filter(|charge| charge.captured).ok_or_else(|| {
        let message =
            format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
        ApiError::invalid(message).param("payment_intent")
    })
}

fn refund(
    tx: &mut Tx<'_>,
    mut charge: Charge,
    amount: Option<i64>,
    details: Details,
) -> Result<Value, ApiError> {
    if !charge.captured {
        let message = format!("Charge {} has not been captured.", charge.id);
        return Err(ApiError::invalid(message).param("charge"));
    }
    let left = charge.amount - charge.amount_refunded;
    if left == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(ApiError::invalid(message).code("charge_already_refunded"));
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        // Stripe sends no code with this one.
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            charges::readable(amount, &charge.currency),
            charges::readable(left, &charge.currency),
        );
        return Err(ApiError::invalid(message).param("amount"));
    }
    let refund = Refund {
        id: fresh_id("re"),
        object: "refund".to_owned(),
        amount,
        charge: charge.id.clone(),
        created: tx.now(),
        currency: charge.currency.clone(),
        metadata: details.metadata,
        payment_intent: charge.payment_intent.clone(),
        reason: details.reason.map(str::to_owned),
        status: "succeeded".to_owned(),
    };
    charge.amount_refunded += amount;
    charge.refunded = charge.amount_refunded == charge.amount;
    tx.put_charge(&charge);
    tx.put_refund(&refund);
    let metadata = refund.metadata.clone();
    charges::enter_as(
        tx,
        EntryKind::Refund,
        &charge,
        (&refund.id, amount, metadata),
    );
    tx.emit("refund.created", json!(refund));
    tx.emit("charge.refunded", json!(charge));
    Ok(json!(refund))
}
