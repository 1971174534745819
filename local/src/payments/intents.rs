//! Payment intents: create, confirm, capture, cancel, retrieve, list.

use serde_json::{Value, json};

use super::charges;
use super::confirm::{self, Confirmation, check_return_url, unexpected_state};
use super::currencies::{check_amount, check_currency};
use super::customers;
use super::errors::ApiError;
use super::form::Params;
use super::lists::Page;
use super::methods;
use super::objects::{AutomaticMethods, Metadata, PaymentIntent, Status, fresh_id, random_text};
use super::routes::Operation;
use super::store::Tx;

const CANCELLATION_REASONS: &[&str] = &[
    "abandoned",
    "duplicate",
    "fraudulent",
    "requested_by_customer",
];

const NO_METHOD: &str = "You cannot confirm this PaymentIntent because it's missing a payment \
                         method. You can either update the PaymentIntent with a payment method and \
                         then confirm it again, or confirm it again directly with a payment method.";

pub(super) fn create(params: &mut Params) -> Result<Operation, ApiError> {
    let wish = Wish::read(params)?;
    Ok(Box::new(move |tx| wish.carry_out(tx)))
}

pub(super) fn retrieve(id: String, params: &mut Params) -> Operation {
    let secret = params.text("client_secret");
    Box::new(move |tx| {
        let intent = tx.intent(&id)?;
        if secret.is_some_and(|secret| secret != intent.client_secret) {
            let message = "The client_secret provided does not match any associated PaymentIntent.";
            return Err(ApiError::invalid(message).param("client_secret"));
        }
        Ok(json!(intent))
    })
}

pub(super) fn list(params: &mut Params) -> Result<Operation, ApiError> {
    let page = Page::read(params)?;
    let customer = params.text("customer");
    Ok(Box::new(move |tx| {
        let keep = |intent: &PaymentIntent| customer.is_none() || customer == intent.customer;
        page.of("/v1/payment_intents", &tx.store.intents, keep, |intent| {
            json!(intent)
        })
    }))
}

pub(super) fn confirm(id: String, params: &mut Params) -> Result<Operation, ApiError> {
    methods::refuse_raw_numbers(params, "payment_method_data[card]")?;
    let method = params.text("payment_method");
    let how = read_confirmation(params)?;
    Ok(Box::new(move |tx| {
        let intent = tx.intent(&id)?;
        check_confirmable(&intent)?;
        let Some(method) = method.or_else(|| intent.payment_method.clone()) else {
            return Err(unexpected_state(NO_METHOD.to_owned(), &intent));
        };
        let held = methods::resolve(tx, &method)?;
        Ok(json!(confirm::confirm(tx, intent, held, &how)?))
    }))
}

pub(super) fn capture(id: String, params: &mut Params) -> Result<Operation, ApiError> {
    let amount = params.positive("amount_to_capture")?;
    Ok(Box::new(move |tx| {
        let mut intent = tx.intent(&id)?;
        if intent.status != Status::RequiresCapture {
            return Err(refused("captured", &intent, &[Status::RequiresCapture]));
        }
        let amount = amount.unwrap_or(intent.amount_capturable);
        if amount > intent.amount_capturable {
            let message = format!(
                "The amount to capture ({}) is greater than the amount you can capture ({}).",
                charges::readable(amount, &intent.currency),
                charges::readable(intent.amount_capturable, &intent.currency),
            );
            let error = ApiError::invalid(message).code("amount_too_large");
            return Err(error.param("amount_to_capture"));
        }
        let held = intent.latest_charge.as_deref().and_then(|id| tx.charge(id));
        charges::capture(tx, held.ok_or_else(ApiError::internal)?, amount);
        intent.amount_capturable = 0;
        intent.amount_received = amount;
        intent.status = Status::Succeeded;
        tx.put_intent(&intent);
        tx.emit("payment_intent.succeeded", json!(intent));
        Ok(json!(intent))
    }))
}

pub(super) fn cancel(id: String, params: &mut Params) -> Result<Operation, ApiError> {
    let reason = params.choice("cancellation_reason", CANCELLATION_REASONS)?;
    Ok(Box::new(move |tx| {
        let mut intent = tx.intent(&id)?;
        if matches!(intent.status, Status::Succeeded | Status::Canceled) {
            let allowed = [
                Status::RequiresPaymentMethod,
                Status::RequiresCapture,
                Status::RequiresConfirmation,
                Status::RequiresAction,
            ];
            return Err(refused("canceled", &intent, &allowed));
        }
        if intent.status == Status::RequiresCapture {
            let held = intent.latest_charge.as_deref().and_then(|id| tx.charge(id));
            charges::release(tx, held.ok_or_else(ApiError::internal)?);
        }
        intent.status = Status::Canceled;
        intent.amount_capturable = 0;
        intent.canceled_at = Some(tx.now());
        intent.cancellation_reason = reason.map(str::to_owned);
        intent.next_action = None;
        tx.put_intent(&intent);
        tx.emit("payment_intent.canceled", json!(intent));
        Ok(json!(intent))
    }))
}

/// What `create` is asked for.
struct Wish {
    amount: i64,
    currency: String,
    customer: Option<String>,
    method: Option<String>,
    confirmation: Option<Confirmation>,
    capture_method: &'static str,
    automatic: Option<AutomaticMethods>,
    metadata: Metadata,
    setup_future_usage: Option<&'static str>,
    description: Option<String>,
    receipt_email: Option<String>,
    statement_descriptor: Option<String>,
    statement_descriptor_suffix: Option<String>,
}

impl Wish {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        methods::refuse_raw_numbers(params, "payment_method_data[card]")?;
        let amount = params.required_positive("amount")?;
        let currency = params.required("currency")?;
        check_currency(&currency)?;
        check_amount(amount, &currency)?;
        params.choice("confirmation_method", &["automatic"])?;
        let method = params.text("payment_method");
        let automatic = read_automatic(params)?;
        let confirmation = read_immediate_confirmation(params)?;
        if let Some(how) = &confirmation {
            check_return_url(automatic.as_ref(), how)?;
            if method.is_none() {
                return Err(ApiError::invalid(NO_METHOD).param("payment_method"));
            }
        }
        Ok(Self {
            amount,
            currency,
            customer: params.text("customer"),
            method,
            confirmation,
            capture_method: params
                .choice(
                    "capture_method",
                    &["automatic", "automatic_async", "manual"],
                )?
                .unwrap_or("automatic_async"),
            automatic,
            metadata: params.metadata()?,
            setup_future_usage: params
                .choice("setup_future_usage", &["off_session", "on_session"])?,
            description: params.text("description"),
            receipt_email: params.text("receipt_email"),
            statement_descriptor: params.text("statement_descriptor"),
            statement_descriptor_suffix: params.text("statement_descriptor_suffix"),
        })
    }

    fn carry_out(self, tx: &mut Tx<'_>) -> Result<Value, ApiError> {
        if let Some(customer) = &self.customer {
            customers::living(tx, customer)?;
        }
        let held = match &self.method {
            Some(id) => Some(methods::resolve(tx, id)?),
            None => None,
        };
        if let Some(held) = &held {
            methods::check_usable(held, self.customer.as_deref())?;
        }
        let id = fresh_id("pi");
        let intent = PaymentIntent {
            object: "payment_intent".to_owned(),
            amount: self.amount,
            amount_capturable: 0,
            amount_received: 0,
            automatic_payment_methods: self.automatic,
            canceled_at: None,
            cancellation_reason: None,
            capture_method: self.capture_method.to_owned(),
            client_secret: format!("{id}_secret_{}", random_text(25)),
            confirmation_method: "automatic".to_owned(),
            created: tx.now(),
            currency: self.currency,
            customer: self.customer,
            description: self.description,
            last_payment_error: None,
            latest_charge: None,
            livemode: false,
            metadata: self.metadata,
            next_action: None,
            payment_method: held.as_ref().map(|held| held.method.id.clone()),
            payment_method_types: vec!["card".to_owned()],
            receipt_email: self.receipt_email,
            setup_future_usage: self.setup_future_usage.map(str::to_owned),
            statement_descriptor: self.statement_descriptor,
            statement_descriptor_suffix: self.statement_descriptor_suffix,
            status: match held {
                Some(_) => Status::RequiresConfirmation,
                None => Status::RequiresPaymentMethod,
            },
            id,
        };
        tx.put_intent(&intent);
        tx.emit("payment_intent.created", json!(intent));
        match (self.confirmation, held) {
            (Some(how), Some(held)) => Ok(json!(confirm::confirm(tx, intent, held, &how)?)),
            _ => Ok(json!(intent)),
        }
    }
}

/// `confirm=true` and the parameters that make sense only with it.
fn read_immediate_confirmation(params: &mut Params) -> Result<Option<Confirmation>, ApiError> {
    if params.boolean("confirm")? == Some(true) {
        return read_confirmation(params).map(Some);
    }
    for name in ["off_session", "return_url", "error_on_requires_action"] {
        if params.has(name) {
            let message = format!("`{name}` can only be used when `confirm` is `true`.");
            return Err(ApiError::invalid(message).param(name));
        }
    }
    Ok(None)
}

fn read_confirmation(params: &mut Params) -> Result<Confirmation, ApiError> {
    let is_off_session = params.boolean("off_session")?.unwrap_or(false);
    let fails_on_action = params.boolean("error_on_requires_action")?.unwrap_or(false);
    let return_url = params.text("return_url");
    if return_url
        .as_ref()
        .is_some_and(|url| reqwest::Url::parse(url).is_err())
    {
        return Err(ApiError::invalid("Not a valid URL")
            .code("url_invalid")
            .param("return_url"));
    }
    Ok(Confirmation {
        is_off_session,
        fails_on_action,
        return_url,
    })
}

/// Without any choice Stripe takes what the dashboard says, redirects included.
fn read_automatic(params: &mut Params) -> Result<Option<AutomaticMethods>, ApiError> {
    if params.has("payment_method_types") && params.has("automatic_payment_methods") {
        let message = "You may only specify one of these parameters: automatic_payment_methods, \
                       payment_method_types.";
        return Err(ApiError::invalid(message));
    }
    let types = params.list("payment_method_types");
    if let Some(other) = types.iter().find(|kind| *kind != "card") {
        let message = format!("The payment method type \"{other}\" is invalid.");
        return Err(ApiError::invalid(message).param("payment_method_types"));
    }
    let enabled = params.boolean("automatic_payment_methods[enabled]")?;
    let redirects = params.choice(
        "automatic_payment_methods[allow_redirects]",
        &["always", "never"],
    )?;
    if !types.is_empty() || enabled == Some(false) {
        return Ok(None);
    }
    if redirects.is_some() && enabled.is_none() {
        let name = "automatic_payment_methods[enabled]";
        let message = format!("Missing required param: {name}.");
        return Err(ApiError::invalid(message)
            .code("parameter_missing")
            .param(name));
    }
    let allow_redirects = redirects.unwrap_or("always").to_owned();
    Ok(Some(AutomaticMethods {
        allow_redirects,
        enabled: true,
    }))
}

fn check_confirmable(intent: &PaymentIntent) -> Result<(), ApiError> {
    let message = match intent.status {
        Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction => {
            return Ok(());
        }
        Status::Succeeded => "You cannot confirm this PaymentIntent because it has already \
                              succeeded after being previously confirmed."
            .to_owned(),
        status => format!(
            "You cannot confirm this PaymentIntent because it has a status of {}.",
            status.as_str()
        ),
    };
    Err(unexpected_state(message, intent))
}

fn refused(done: &str, intent: &PaymentIntent, allowed: &[Status]) -> ApiError {
    let allowed: Vec<_> = allowed.iter().map(|status| status.as_str()).collect();
    let message = format!(
        "This PaymentIntent could not be {done} because it has a status of {}. Only a \
         PaymentIntent with one of the following statuses may be {done}: {}.",
        intent.status.as_str(),
        allowed.join(", ")
    );
    unexpected_state(message, intent)
}
