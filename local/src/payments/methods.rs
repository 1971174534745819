//! Payment methods, which here are always one of the published test cards.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cards::{Behaviour, TestCard};
use super::confirm::card_error;
use super::customers;
use super::errors::ApiError;
use super::form::Params;
use super::lists::Page;
use super::objects::{HeldMethod, PaymentMethod, fresh_id};
use super::routes::Operation;
use super::store::Tx;

const SPENT: &str = "This PaymentMethod was previously used without being attached to a Customer \
                     or was detached from a Customer, and may not be used again.";

pub(super) fn create(params: &mut Params) -> Result<Operation, ApiError> {
    refuse_raw_numbers(params, "card")?;
    let kind = params.required("type")?;
    if kind != "card" {
        return Err(ApiError::invalid(format!("Invalid type: {kind}")).param("type"));
    }
    let token = params.required("card[token]")?;
    let card = TestCard::of_token(&token)
        .ok_or_else(|| ApiError::no_such_param("token", &token, "card[token]"))?;
    let billing_details = billing_details(params);
    let metadata = params.metadata()?;
    Ok(Box::new(move |tx| {
        let mut held = mint(tx, card);
        held.method.billing_details = billing_details;
        held.method.metadata = metadata;
        tx.put_method(&held);
        Ok(json!(held.method))
    }))
}

pub(super) fn retrieve(id: String) -> Operation {
    Box::new(move |tx| Ok(json!(named_in_path(tx, &id)?.method)))
}

pub(super) fn attach(id: String, params: &mut Params) -> Result<Operation, ApiError> {
    let customer = params.required("customer")?;
    Ok(Box::new(move |tx| {
        let held = named_in_path(tx, &id)?;
        customers::living(tx, &customer)?;
        let held = attach_to(tx, held, &customer)?;
        Ok(json!(held.method))
    }))
}

pub(super) fn detach(id: String) -> Operation {
    Box::new(move |tx| {
        let held = named_in_path(tx, &id)?;
        if held.method.customer.is_none() {
            let message = "The payment method you provided is not attached to a customer so \
                           detachment is impossible.";
            return Err(ApiError::invalid(message));
        }
        let held = detach_from_owner(tx, held);
        Ok(json!(held.method))
    })
}

/// `GET /v1/payment_methods?customer=` and `GET /v1/customers/{id}/payment_methods`.
pub(super) fn list(in_path: Option<String>, params: &mut Params) -> Result<Operation, ApiError> {
    let page = Page::read(params)?;
    params.choice("type", &["card"])?;
    let (url, customer) = match in_path {
        Some(id) => (format!("/v1/customers/{id}/payment_methods"), id),
        None => (
            "/v1/payment_methods".to_owned(),
            params.required("customer")?,
        ),
    };
    Ok(Box::new(move |tx| {
        customers::living(tx, &customer)?;
        let is_theirs = |held: &HeldMethod| held.method.customer.as_ref() == Some(&customer);
        page.of(&url, &tx.store.methods, is_theirs, |held| {
            json!(held.method)
        })
    }))
}

/// The method of a parameter; each use of a test method's name makes a new one, as on Stripe.
pub(super) fn resolve(tx: &mut Tx<'_>, id: &str) -> Result<HeldMethod, ApiError> {
    if let Some(card) = TestCard::of_method(id) {
        let held = mint(tx, card);
        tx.put_method(&held);
        return Ok(held);
    }
    tx.method(id)
        .ok_or_else(|| ApiError::no_such_param("PaymentMethod", id, "payment_method"))
}

/// May this method pay for an intent of `customer`?
pub(super) fn check_usable(held: &HeldMethod, customer: Option<&str>) -> Result<(), ApiError> {
    let method = &held.method;
    match (method.customer.as_deref(), customer) {
        (None, _) if held.spent => Err(ApiError::invalid(SPENT).param("payment_method")),
        (Some(owner), None) => Err(ApiError::invalid(format!(
            "The payment method supplied ({}) belongs to a Customer, {owner}. Please include the \
             Customer in the `customer` parameter on the PaymentIntent.",
            method.id
        ))
        .param("payment_method")),
        (Some(owner), Some(other)) if owner != other => Err(ApiError::invalid(format!(
            "The customer does not have a payment method with the ID {}. The payment method must \
             be attached to the customer.",
            method.id
        ))
        .code("resource_missing")
        .param("payment_method")),
        _ => Ok(()),
    }
}

pub(super) fn attach_to(
    tx: &mut Tx<'_>,
    mut held: HeldMethod,
    customer: &str,
) -> Result<HeldMethod, ApiError> {
    if held.method.customer.as_deref() == Some(customer) {
        return Ok(held);
    }
    if held.method.customer.is_some() {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(ApiError::invalid(message));
    }
    if held.spent {
        return Err(ApiError::invalid(SPENT));
    }
    // Stripe asks the issuer when a card is attached, so a card that refuses everything fails here.
    if let Some(Behaviour::Declines(decline)) = behaviour(&held) {
        return Err(card_error(&decline));
    }
    held.method.customer = Some(customer.to_owned());
    tx.put_method(&held);
    tx.emit("payment_method.attached", json!(held.method));
    Ok(held)
}

pub(super) fn detach_from_owner(tx: &mut Tx<'_>, mut held: HeldMethod) -> HeldMethod {
    held.method.customer = None;
    held.spent = true;
    tx.put_method(&held);
    tx.emit("payment_method.detached", json!(held.method));
    held
}

pub(super) fn behaviour(held: &HeldMethod) -> Option<Behaviour> {
    TestCard::named(&held.card).map(|card| card.behaviour)
}

/// Refuses card numbers as Stripe does for an account without that permission: 402, and the
/// number goes nowhere.
pub(super) fn refuse_raw_numbers(params: &Params, prefix: &str) -> Result<(), ApiError> {
    if !params.has(&format!("{prefix}[number]")) {
        return Ok(());
    }
    let message = "Sending credit card numbers directly to the Stripe API is generally unsafe. We \
                   suggest you use test tokens that map to the test card you are using, see \
                   https://stripe.com/docs/testing.";
    Err(ApiError::invalid(message).status(402))
}

fn named_in_path(tx: &mut Tx<'_>, id: &str) -> Result<HeldMethod, ApiError> {
    resolve(tx, id).map_err(|error| error.status(404))
}

fn mint(tx: &Tx<'_>, card: &'static TestCard) -> HeldMethod {
    let method = PaymentMethod {
        id: fresh_id("pm"),
        object: "payment_method".to_owned(),
        billing_details: blank_billing_details(),
        card: card_value(card),
        created: tx.now(),
        customer: None,
        livemode: false,
        metadata: BTreeMap::new(),
        kind: "card".to_owned(),
    };
    HeldMethod {
        method,
        card: card.name.to_owned(),
        spent: false,
    }
}

fn card_value(card: &TestCard) -> Value {
    json!({
        "brand": card.brand,
        "checks": {
            "address_line1_check": null,
            "address_postal_code_check": null,
            "cvc_check": "unchecked",
        },
        "country": card.country,
        "display_brand": card.brand,
        // Test methods on Stripe expire in the next years too; a far one never surprises a test.
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": format!("sandbox{}{}", card.brand, card.last4),
        "funding": card.funding,
        "last4": card.last4,
        "networks": { "available": [card.brand], "preferred": null },
        "three_d_secure_usage": { "supported": true },
        "wallet": null,
    })
}

fn blank_billing_details() -> Value {
    let address = json!({
        "city": null, "country": null, "line1": null, "line2": null, "postal_code": null,
        "state": null,
    });
    json!({ "address": address, "email": null, "name": null, "phone": null })
}

fn billing_details(params: &mut Params) -> Value {
    let mut details = blank_billing_details();
    for name in ["email", "name", "phone"] {
        details[name] = json!(params.text(&format!("billing_details[{name}]")));
    }
    for name in ["city", "country", "line1", "line2", "postal_code", "state"] {
        let value = params.text(&format!("billing_details[address][{name}]"));
        details["address"][name] = json!(value);
    }
    details
}
