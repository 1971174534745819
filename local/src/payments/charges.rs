//! Charges: made and changed by payment intents and refunds, and only read from outside.

use serde_json::{Value, json};

use super::cards::Decline;
use super::errors::ApiError;
use super::form::Params;
use super::ledger::{Entry, EntryKind};
use super::lists::Page;
use super::objects::{Charge, Metadata, PaymentIntent, PaymentMethod, fresh_id};
use super::routes::Operation;
use super::store::Tx;

pub(super) fn retrieve(id: String) -> Operation {
    Box::new(move |tx| {
        let found = tx.charge(&id).map(|charge| json!(charge));
        found.ok_or_else(|| ApiError::no_such("charge", &id, "id"))
    })
}

pub(super) fn list(params: &mut Params) -> Result<Operation, ApiError> {
    let page = Page::read(params)?;
    let (intent, customer) = (params.text("payment_intent"), params.text("customer"));
    Ok(Box::new(move |tx| {
        let keep = |charge: &Charge| {
            intent
                .as_ref()
                .is_none_or(|id| *id == charge.payment_intent)
                && (customer.is_none() || customer == charge.customer)
        };
        page.of("/v1/charges", &tx.store.charges, keep, |charge| {
            json!(charge)
        })
    }))
}

/// Takes the money, or only holds it when the intent is to be captured by hand.
pub(super) fn take(tx: &mut Tx<'_>, intent: &PaymentIntent, method: &PaymentMethod) -> Charge {
    let is_captured = intent.capture_method != "manual";
    let mut charge = blank(tx, intent, method);
    charge.outcome = outcome("approved_by_network", None, "Payment complete.");
    charge.captured = is_captured;
    charge.amount_captured = if is_captured { intent.amount } else { 0 };
    charge.paid = true;
    charge.status = "succeeded".to_owned();
    tx.put_charge(&charge);
    let kind = if is_captured {
        EntryKind::Charge
    } else {
        EntryKind::Authorization
    };
    enter(tx, kind, &charge, charge.amount);
    tx.emit("charge.succeeded", json!(charge));
    charge
}

/// Notes an attempt that the issuer refused.
pub(super) fn fail(
    tx: &mut Tx<'_>,
    intent: &PaymentIntent,
    method: &PaymentMethod,
    decline: &Decline,
) -> Charge {
    let mut charge = blank(tx, intent, method);
    let reason = decline.decline_code.unwrap_or(decline.code);
    charge.outcome = outcome("declined_by_network", Some(reason), decline.message);
    charge.failure_code = Some(decline.code.to_owned());
    charge.failure_message = Some(decline.message.to_owned());
    charge.status = "failed".to_owned();
    tx.put_charge(&charge);
    enter(tx, EntryKind::FailedCharge, &charge, charge.amount);
    tx.emit("charge.failed", json!(charge));
    charge
}

/// Takes `amount` of what is held and gives the rest back.
pub(super) fn capture(tx: &mut Tx<'_>, mut charge: Charge, amount: i64) {
    let rest = charge.amount - amount;
    charge.captured = true;
    charge.amount_captured = amount;
    // The part that is not captured counts as refunded, as Stripe's capture call says.
    charge.amount_refunded = rest;
    tx.put_charge(&charge);
    enter(tx, EntryKind::Capture, &charge, amount);
    if rest > 0 {
        enter(tx, EntryKind::Release, &charge, rest);
    }
    tx.emit("charge.captured", json!(charge));
}

/// Gives back all that is held.
pub(super) fn release(tx: &mut Tx<'_>, mut charge: Charge) {
    charge.amount_refunded = charge.amount;
    charge.refunded = true;
    tx.put_charge(&charge);
    enter(tx, EntryKind::Release, &charge, charge.amount);
    tx.emit("charge.refunded", json!(charge));
}

/// An amount as a person reads it.
pub(super) fn readable(amount: i64, currency: &str) -> String {
    const WITHOUT_MINOR_UNIT: &[&str] = &[
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
        "xaf", "xof", "xpf",
    ];
    if WITHOUT_MINOR_UNIT.contains(&currency) {
        return format!("{amount} {currency}");
    }
    let number = format!("{}.{:02}", amount / 100, amount % 100);
    match currency {
        "usd" => format!("${number}"),
        "eur" => format!("€{number}"),
        "gbp" => format!("£{number}"),
        _ => format!("{number} {currency}"),
    }
}

/// Writes a movement of another object (a refund: its id, amount and metadata) into the ledger.
pub(super) fn enter_as(
    tx: &mut Tx<'_>,
    kind: EntryKind,
    charge: &Charge,
    (id, amount, metadata): (&str, i64, Metadata),
) {
    let entry = Entry {
        kind,
        id: id.to_owned(),
        charge: charge.id.clone(),
        payment_intent: charge.payment_intent.clone(),
        amount,
        currency: charge.currency.clone(),
        customer: charge.customer.clone(),
        metadata,
        idempotency_key: tx.caller.idempotency_key.clone(),
        request_id: tx.caller.request_id.clone(),
        at: tx.now(),
    };
    tx.record.entries.push(entry);
}

fn enter(tx: &mut Tx<'_>, kind: EntryKind, charge: &Charge, amount: i64) {
    enter_as(
        tx,
        kind,
        charge,
        (&charge.id, amount, charge.metadata.clone()),
    );
}

fn blank(tx: &Tx<'_>, intent: &PaymentIntent, method: &PaymentMethod) -> Charge {
    Charge {
        id: fresh_id("ch"),
        object: "charge".to_owned(),
        amount: intent.amount,
        amount_captured: 0,
        amount_refunded: 0,
        captured: false,
        created: tx.now(),
        currency: intent.currency.clone(),
        customer: intent.customer.clone(),
        description: intent.description.clone(),
        disputed: false,
        failure_code: None,
        failure_message: None,
        livemode: false,
        metadata: intent.metadata.clone(),
        outcome: Value::Null,
        paid: false,
        payment_intent: intent.id.clone(),
        payment_method: method.id.clone(),
        payment_method_details: json!({ "card": method.card, "type": "card" }),
        refunded: false,
        status: String::new(),
    }
}

fn outcome(network_status: &str, reason: Option<&str>, seller_message: &str) -> Value {
    let kind = if reason.is_some() {
        "issuer_declined"
    } else {
        "authorized"
    };
    json!({
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": seller_message,
        "type": kind,
    })
}
