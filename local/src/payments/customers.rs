//! Customers.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::form::Params;
use super::methods;
use super::objects::{Customer, fresh_id};
use super::routes::Operation;
use super::store::Tx;

pub(super) fn create(params: &mut Params) -> Result<Operation, ApiError> {
    let (name, email) = (params.text("name"), params.text("email"));
    let (phone, description) = (params.text("phone"), params.text("description"));
    let metadata = params.metadata()?;
    let payment_method = params.text("payment_method");
    Ok(Box::new(move |tx| {
        let customer = Customer {
            id: fresh_id("cus"),
            object: "customer".to_owned(),
            created: tx.now(),
            description,
            email,
            livemode: false,
            metadata,
            name,
            phone,
            deleted: false,
        };
        if let Some(id) = payment_method {
            let held = methods::resolve(tx, &id)?;
            methods::attach_to(tx, held, &customer.id)?;
        }
        tx.put_customer(&customer);
        tx.emit("customer.created", json!(customer));
        Ok(json!(customer))
    }))
}

pub(super) fn retrieve(id: String) -> Operation {
    Box::new(move |tx| {
        let customer = tx
            .customer(&id)
            .ok_or_else(|| ApiError::no_such("customer", &id, "id"))?;
        Ok(if customer.deleted {
            tombstone(&id)
        } else {
            json!(customer)
        })
    })
}

pub(super) fn delete(id: String) -> Operation {
    Box::new(move |tx| {
        let mut customer = living(tx, &id).map_err(|error| error.status(404).param("id"))?;
        let attached: Vec<_> = tx.store.methods.newest_first().cloned().collect();
        for held in attached
            .into_iter()
            .filter(|held| held.method.customer.as_ref() == Some(&id))
        {
            methods::detach_from_owner(tx, held);
        }
        tx.emit("customer.deleted", json!(customer));
        customer.deleted = true;
        tx.put_customer(&customer);
        Ok(tombstone(&id))
    })
}

/// The customer named by a parameter, unless deleted.
pub(super) fn living(tx: &Tx<'_>, id: &str) -> Result<Customer, ApiError> {
    tx.customer(id)
        .filter(|customer| !customer.deleted)
        .ok_or_else(|| ApiError::no_such_param("customer", id, "customer"))
}

fn tombstone(id: &str) -> Value {
    json!({ "id": id, "object": "customer", "deleted": true })
}
