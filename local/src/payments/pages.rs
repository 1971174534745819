//! What only a sandbox has: the ledger for a checker, the webhook's address, and the issuer's page.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::confirm::{self, Authentication, unexpected_state};
use super::errors::ApiError;
use super::form::Params;
use super::objects::{PaymentIntent, Status, random_text};
use super::pipeline::reply;
use super::store::Tx;
use super::webhooks::Endpoint;

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/_sandbox/health", get(async || "ok"))
        .route("/_sandbox/ledger", get(ledger))
        .route("/_sandbox/webhook_endpoint", post(webhook_endpoint))
        .route(
            "/_sandbox/payment_intents/{id}/authenticate",
            post(authenticate),
        )
        .route(
            "/_sandbox/authenticate/{id}",
            get(issuer_page).post(issuer_answer),
        )
}

/// Every movement of money, oldest first.
async fn ledger(State(sandbox): State<Sandbox>) -> Response {
    let entries = sandbox.books().store.entries.clone();
    reply(
        200,
        json!({ "object": "list", "data": entries }).to_string(),
    )
}

/// `{"url": …, "secret": …}`; without a secret a new one is made.
async fn webhook_endpoint(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Wish {
        url: String,
        secret: Option<String>,
    }
    let Ok(wish) = serde_json::from_slice::<Wish>(&body) else {
        return refusal(&ApiError::invalid("Expected JSON: {\"url\", \"secret\"?}."));
    };
    if reqwest::Url::parse(&wish.url).is_err() {
        return refusal(
            &ApiError::invalid("Not a valid URL")
                .code("url_invalid")
                .param("url"),
        );
    }
    let secret = wish
        .secret
        .unwrap_or_else(|| format!("whsec_{}", random_text(32)));
    let answer = json!({ "url": wish.url, "secret": secret });
    sandbox.set_endpoint(Endpoint {
        url: wish.url,
        secret,
    });
    reply(200, answer.to_string())
}

/// Ends the authentication of an intent: `{"outcome": "succeed" | "fail"}`.
async fn authenticate(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let wish: Option<Value> = serde_json::from_slice(&body).ok();
    let outcome = wish.as_ref().and_then(|wish| wish["outcome"].as_str());
    let Some(outcome) = outcome.and_then(outcome_of) else {
        let message = "Expected JSON: {\"outcome\": \"succeed\" | \"fail\"}.";
        return refusal(&ApiError::invalid(message).param("outcome"));
    };
    let (status, body) = finish(&sandbox, id, outcome);
    reply(status, body)
}

/// The page that `next_action` points to; the customer's bank would show it.
async fn issuer_page(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let intent = match waiting(&sandbox, &id, query.get("client_secret")) {
        Ok(intent) => intent,
        Err(error) => return refusal(&error),
    };
    // Ids, secrets and currencies are ours and hold letters, digits and underscores only.
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Authenticate a payment</title>\
         <h1>Test bank</h1><p>Payment {id} of {amount}. No money moves.</p>\
         <form method=post><input type=hidden name=client_secret value=\"{secret}\">\
         <button name=outcome value=succeed>Complete authentication</button> \
         <button name=outcome value=fail>Fail authentication</button></form></html>",
        id = intent.id,
        amount = super::charges::readable(intent.amount, &intent.currency),
        secret = intent.client_secret,
    ))
    .into_response()
}

/// The customer has pressed a button; back to the shop.
async fn issuer_answer(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let mut params = Params::parse(&body);
    let secret = params.text("client_secret");
    let intent = match waiting(&sandbox, &id, secret.as_ref()) {
        Ok(intent) => intent,
        Err(error) => return refusal(&error),
    };
    let Some(outcome) = params.text("outcome").as_deref().and_then(outcome_of) else {
        return refusal(&ApiError::invalid("Invalid outcome.").param("outcome"));
    };
    let (status, body) = finish(&sandbox, id, outcome);
    if status != StatusCode::OK.as_u16() {
        return reply(status, body);
    }
    let now = sandbox
        .books()
        .store
        .intents
        .get(&intent.id)
        .map(|intent| intent.status);
    let result = match now {
        Some(Status::RequiresPaymentMethod) => "failed",
        _ => "succeeded",
    };
    match return_address(&intent, result) {
        Some(address) => Redirect::to(&address).into_response(),
        None => Html("<!doctype html><title>Done</title><p>Done; you can close this page.</p>")
            .into_response(),
    }
}

fn finish(sandbox: &Sandbox, id: String, outcome: Authentication) -> (u16, String) {
    let operation = Box::new(move |tx: &mut Tx<'_>| {
        let intent = tx.intent(&id)?;
        Ok(json!(confirm::authenticated(tx, intent, outcome)?))
    });
    sandbox.execute(operation, &sandbox.caller(None), None)
}

/// The intent, if it waits for its customer and the secret is right.
fn waiting(
    sandbox: &Sandbox,
    id: &str,
    secret: Option<&String>,
) -> Result<PaymentIntent, ApiError> {
    let found = sandbox.books().store.intents.get(id).cloned();
    let intent = found
        .filter(|intent| secret == Some(&intent.client_secret))
        .ok_or_else(|| ApiError::no_such("payment_intent", id, "intent"))?;
    if intent.status != Status::RequiresAction {
        let message = "This PaymentIntent waits for no authentication.".to_owned();
        return Err(unexpected_state(message, &intent));
    }
    Ok(intent)
}

fn return_address(intent: &PaymentIntent, result: &str) -> Option<String> {
    let action = intent.next_action.as_ref()?;
    let address = action["redirect_to_url"]["return_url"].as_str()?;
    let mut address = reqwest::Url::parse(address).ok()?;
    address
        .query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair("redirect_status", result);
    Some(address.into())
}

fn outcome_of(word: &str) -> Option<Authentication> {
    match word {
        "succeed" => Some(Authentication::Succeeded),
        "fail" => Some(Authentication::Failed),
        _ => None,
    }
}

fn refusal(error: &ApiError) -> Response {
    reply(error.status, error.to_value().to_string())
}
