//! Which path is which operation, and what `expand` does to its answer.

use http::Method;
use serde_json::Value;

use super::errors::ApiError;
use super::form::Params;
use super::store::Tx;
use super::{charges, customers, events, intents, methods, refunds};

/// A validated request, ready to be executed. What fails before there is one leaves no trace.
pub(super) type Operation = Box<dyn FnOnce(&mut Tx<'_>) -> Result<Value, ApiError> + Send>;

/// Validates a request; the paths below are all there are.
pub(super) fn plan(method: &Method, path: &str, mut params: Params) -> Result<Operation, ApiError> {
    let expansions = expansions(&mut params)?;
    let p = &mut params;
    let segments: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    let id = segments.get(1).copied().unwrap_or_default().to_owned();
    let operation = match (method.as_str(), segments.as_slice()) {
        ("POST", ["payment_intents"]) => intents::create(p)?,
        ("GET", ["payment_intents"]) => intents::list(p)?,
        ("GET", ["payment_intents", _]) => intents::retrieve(id, p),
        ("POST", ["payment_intents", _, "confirm"]) => intents::confirm(id, p)?,
        ("POST", ["payment_intents", _, "capture"]) => intents::capture(id, p)?,
        ("POST", ["payment_intents", _, "cancel"]) => intents::cancel(id, p)?,
        ("POST", ["payment_methods"]) => methods::create(p)?,
        ("GET", ["payment_methods"]) => methods::list(None, p)?,
        ("GET", ["payment_methods", _]) => methods::retrieve(id),
        ("POST", ["payment_methods", _, "attach"]) => methods::attach(id, p)?,
        ("POST", ["payment_methods", _, "detach"]) => methods::detach(id),
        ("POST", ["customers"]) => customers::create(p)?,
        ("GET", ["customers", _]) => customers::retrieve(id),
        ("DELETE", ["customers", _]) => customers::delete(id),
        ("GET", ["customers", _, "payment_methods"]) => methods::list(Some(id), p)?,
        ("POST", ["refunds"]) => refunds::create(p)?,
        ("GET", ["refunds"]) => refunds::list(p)?,
        ("GET", ["refunds", _]) => refunds::retrieve(id),
        ("POST", ["refunds", _]) => refunds::update(id, p)?,
        ("GET", ["charges"]) => charges::list(p)?,
        ("GET", ["charges", _]) => charges::retrieve(id),
        ("GET", ["events"]) => events::list(p)?,
        ("GET", ["events", _]) => events::retrieve(id),
        _ => return Err(ApiError::no_such_route(method.as_str(), path)),
    };
    params.finish()?;
    Ok(Box::new(move |tx| {
        let mut answer = operation(tx)?;
        for expansion in &expansions {
            expand(tx, &mut answer, expansion);
        }
        Ok(answer)
    }))
}

/// Checked before anything is executed, because a payment cannot be taken back for a bad `expand`.
fn expansions(params: &mut Params) -> Result<Vec<Vec<String>>, ApiError> {
    const EXPANDABLE: &[&str] = &[
        "charge",
        "customer",
        "data",
        "latest_charge",
        "payment_intent",
        "payment_method",
    ];
    let mut expansions = Vec::new();
    for path in params.list("expand") {
        let steps: Vec<_> = path.split('.').map(str::to_owned).collect();
        if steps.len() > 4
            || steps
                .iter()
                .any(|step| !EXPANDABLE.contains(&step.as_str()))
        {
            let message = format!("This property cannot be expanded ({path}).");
            return Err(ApiError::invalid(message).param("expand"));
        }
        expansions.push(steps);
    }
    Ok(expansions)
}

/// Puts objects where their ids are, along the path `steps`.
fn expand(tx: &Tx<'_>, value: &mut Value, steps: &[String]) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(|item| expand(tx, item, steps));
        return;
    }
    let Some((step, rest)) = steps.split_first() else {
        return;
    };
    let Some(field) = value.get_mut(step) else {
        return;
    };
    if let Some(object) = field.as_str().and_then(|id| tx.any(id)) {
        *field = object;
    }
    expand(tx, field, rest);
}
