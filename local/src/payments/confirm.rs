//! What happens between a confirmed intent and the card's issuer.

use serde_json::{Value, json};

use super::cards::{AUTHENTICATION_REQUIRED, Decline, Verdict};
use super::charges;
use super::errors::ApiError;
use super::methods;
use super::objects::{AutomaticMethods, HeldMethod, PaymentIntent, Status, random_text};
use super::store::Tx;

/// How an intent is confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    pub(super) is_off_session: bool,
    pub(super) fails_on_action: bool,
    pub(super) return_url: Option<String>,
}

/// Charges the method; the intent is stored in its new state, whatever that is.
pub(super) fn confirm(
    tx: &mut Tx<'_>,
    mut intent: PaymentIntent,
    held: HeldMethod,
    how: &Confirmation,
) -> Result<PaymentIntent, ApiError> {
    check_return_url(intent.automatic_payment_methods.as_ref(), how)?;
    methods::check_usable(&held, intent.customer.as_deref())?;
    intent.payment_method = Some(held.method.id.clone());
    intent.next_action = None;
    let behaviour = methods::behaviour(&held).ok_or_else(ApiError::internal)?;
    match behaviour.verdict(how.is_off_session) {
        Verdict::Approve => Ok(approve(tx, intent, held)),
        Verdict::Decline(decline) => Err(refuse(tx, intent, &held, &decline)),
        Verdict::Authenticate if how.fails_on_action => {
            Err(refuse(tx, intent, &held, &AUTHENTICATION_REQUIRED))
        }
        Verdict::Authenticate => Ok(ask(tx, intent, how)),
    }
}

/// The outcome of an authentication that the customer was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authentication {
    Succeeded,
    Failed,
}

/// Goes on after the customer came back from the issuer's page.
pub(super) fn authenticated(
    tx: &mut Tx<'_>,
    mut intent: PaymentIntent,
    outcome: Authentication,
) -> Result<PaymentIntent, ApiError> {
    if intent.status != Status::RequiresAction {
        let message = format!(
            "This PaymentIntent waits for no authentication: its status is {}.",
            intent.status.as_str()
        );
        return Err(unexpected_state(message, &intent));
    }
    let id = intent.payment_method.clone().unwrap_or_default();
    let held = tx.method(&id).ok_or_else(ApiError::internal)?;
    let behaviour = methods::behaviour(&held).ok_or_else(ApiError::internal)?;
    intent.next_action = None;
    match (outcome, behaviour.verdict_when_authenticated()) {
        (Authentication::Failed, _) => Ok(fail_authentication(tx, intent, &held)),
        (Authentication::Succeeded, Verdict::Decline(decline)) => {
            refuse(tx, intent.clone(), &held, &decline);
            tx.intent(&intent.id)
        }
        (Authentication::Succeeded, _) => Ok(approve(tx, intent, held)),
    }
}

/// A refused transition; the error carries the intent, so that the caller learns its state.
pub(super) fn unexpected_state(message: String, intent: &PaymentIntent) -> ApiError {
    ApiError::invalid(message)
        .code("payment_intent_unexpected_state")
        .intent(json!(intent))
}

/// The issuer's refusal as an error.
pub(super) fn card_error(decline: &Decline) -> ApiError {
    let mut error = ApiError::card(decline.code, decline.message);
    error.body.decline_code = decline.decline_code.map(str::to_owned);
    error
}

/// Where redirects are allowed, there must be a page to come back to.
pub(super) fn check_return_url(
    automatic: Option<&AutomaticMethods>,
    how: &Confirmation,
) -> Result<(), ApiError> {
    let may_redirect = automatic.is_some_and(|automatic| automatic.allow_redirects == "always");
    if !may_redirect || how.return_url.is_some() {
        return Ok(());
    }
    Err(ApiError::invalid(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. \
         Because some of these payment methods might redirect your customer off of your page, you \
         must provide a `return_url`. If you don't want to accept redirect-based payment methods, \
         set `automatic_payment_methods[enabled]` to `true` and \
         `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and \
         Payment Intents.",
    ))
}

fn approve(tx: &mut Tx<'_>, mut intent: PaymentIntent, mut held: HeldMethod) -> PaymentIntent {
    let saves = intent.setup_future_usage.is_some() && held.method.customer.is_none();
    if saves && intent.customer.is_some() {
        held.method.customer.clone_from(&intent.customer);
        tx.emit("payment_method.attached", json!(held.method));
    }
    held.spent = held.method.customer.is_none();
    tx.put_method(&held);
    let charge = charges::take(tx, &intent, &held.method);
    intent.last_payment_error = None;
    intent.latest_charge = Some(charge.id.clone());
    let event = if charge.captured {
        intent.status = Status::Succeeded;
        intent.amount_received = intent.amount;
        "payment_intent.succeeded"
    } else {
        intent.status = Status::RequiresCapture;
        intent.amount_capturable = intent.amount;
        "payment_intent.amount_capturable_updated"
    };
    tx.put_intent(&intent);
    tx.emit(event, json!(intent));
    intent
}

/// Stores the refusal and returns the error that says so.
fn refuse(
    tx: &mut Tx<'_>,
    mut intent: PaymentIntent,
    held: &HeldMethod,
    decline: &Decline,
) -> ApiError {
    let charge = charges::fail(tx, &intent, &held.method, decline);
    let mut error = card_error(decline);
    error.body.charge = Some(charge.id.clone());
    error.body.payment_method = Some(json!(held.method));
    intent.latest_charge = Some(charge.id);
    to_requires_payment_method(tx, &mut intent, json!(*error.body));
    error.intent(json!(intent))
}

fn ask(tx: &mut Tx<'_>, mut intent: PaymentIntent, how: &Confirmation) -> PaymentIntent {
    let url = format!(
        "{}/_sandbox/authenticate/{}?client_secret={}",
        tx.caller.base_url, intent.id, intent.client_secret
    );
    intent.status = Status::RequiresAction;
    intent.next_action = Some(match &how.return_url {
        Some(return_url) => json!({
            "redirect_to_url": { "return_url": return_url, "url": url },
            "type": "redirect_to_url",
        }),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {
                "source": format!("src_{}", random_text(24)),
                "stripe_js": url,
                "type": "three_d_secure_redirect",
            },
        }),
    });
    tx.put_intent(&intent);
    tx.emit("payment_intent.requires_action", json!(intent));
    intent
}

fn fail_authentication(
    tx: &mut Tx<'_>,
    mut intent: PaymentIntent,
    held: &HeldMethod,
) -> PaymentIntent {
    let message = "The provided PaymentMethod has failed authentication. You can provide \
                   payment_method_data or a new PaymentMethod to attempt to fulfill this \
                   PaymentIntent again.";
    let mut error = ApiError::invalid(message).code("payment_intent_authentication_failure");
    error.body.payment_method = Some(json!(held.method));
    to_requires_payment_method(tx, &mut intent, json!(*error.body));
    intent
}

fn to_requires_payment_method(tx: &mut Tx<'_>, intent: &mut PaymentIntent, error: Value) {
    intent.last_payment_error = Some(error);
    intent.payment_method = None;
    intent.status = Status::RequiresPaymentMethod;
    tx.put_intent(intent);
    tx.emit("payment_intent.payment_failed", json!(intent));
}
