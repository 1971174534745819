//! Events as the API lists them; they are made in the transaction and sent by `webhooks`.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::form::Params;
use super::lists::Page;
use super::objects::Event;
use super::routes::Operation;
use super::store::Store;

pub(super) fn retrieve(id: String) -> Operation {
    Box::new(move |tx| {
        let found = tx.store.events.get(&id).map(|event| show(tx.store, event));
        found.ok_or_else(|| ApiError::no_such("event", &id, "id"))
    })
}

pub(super) fn list(params: &mut Params) -> Result<Operation, ApiError> {
    let page = Page::read(params)?;
    let mut kinds = params.list("types");
    kinds.extend(params.text("type"));
    Ok(Box::new(move |tx| {
        let keep = |event: &Event| kinds.is_empty() || kinds.iter().any(|kind| fits(event, kind));
        page.of("/v1/events", &tx.store.events, keep, |event| {
            show(tx.store, event)
        })
    }))
}

/// `charge.*` fits all events of charges.
fn fits(event: &Event, kind: &str) -> bool {
    match kind.strip_suffix('*') {
        Some(prefix) => event.kind.starts_with(prefix),
        None => event.kind == kind,
    }
}

fn show(store: &Store, event: &Event) -> Value {
    let mut value = json!(event);
    if store.is_delivered(&event.id) {
        value["pending_webhooks"] = json!(0);
    }
    value
}
