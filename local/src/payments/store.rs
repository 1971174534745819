//! All objects in memory, and the transaction through which an operation changes them.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::errors::ApiError;
use super::ledger::{Entry, Record};
use super::objects::{
    Charge, Customer, Event, HeldMethod, Object, PaymentIntent, Refund, fresh_id,
};

/// Objects by id, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: HashMap<String, T>,
    order: Vec<String>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            order: Vec::new(),
        }
    }
}

impl<T: Object> Table<T> {
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id)
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &T> {
        self.order.iter().rev().filter_map(|id| self.rows.get(id))
    }

    fn put(&mut self, row: T) {
        let id = row.id().to_owned();
        if self.rows.insert(id.clone(), row).is_none() {
            self.order.push(id);
        }
    }
}

/// What the ledger's records add up to.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) intents: Table<PaymentIntent>,
    pub(super) methods: Table<HeldMethod>,
    pub(super) customers: Table<Customer>,
    pub(super) charges: Table<Charge>,
    pub(super) refunds: Table<Refund>,
    pub(super) events: Table<Event>,
    pub(super) entries: Vec<Entry>,
    delivered: HashSet<String>,
}

impl Store {
    pub(super) fn apply(&mut self, record: Record) {
        record
            .intents
            .into_iter()
            .for_each(|row| self.intents.put(row));
        record
            .methods
            .into_iter()
            .for_each(|row| self.methods.put(row));
        record
            .customers
            .into_iter()
            .for_each(|row| self.customers.put(row));
        record
            .charges
            .into_iter()
            .for_each(|row| self.charges.put(row));
        record
            .refunds
            .into_iter()
            .for_each(|row| self.refunds.put(row));
        record
            .events
            .into_iter()
            .for_each(|row| self.events.put(row));
        self.entries.extend(record.entries);
        self.delivered.extend(record.delivered);
    }

    /// Events that no webhook has acknowledged, oldest first.
    pub(super) fn undelivered(&self) -> Vec<Event> {
        let open = |event: &&Event| event.pending_webhooks > 0 && !self.is_delivered(&event.id);
        let mut events: Vec<_> = self.events.newest_first().filter(open).cloned().collect();
        events.reverse();
        events
    }

    pub(super) fn is_delivered(&self, event: &str) -> bool {
        self.delivered.contains(event)
    }
}

/// The request on whose behalf something happens.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) request_id: String,
    pub(super) idempotency_key: Option<String>,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// Where this sandbox is reached, without a slash at the end.
    pub(super) base_url: String,
    /// How many webhooks each new event goes to.
    pub(super) webhooks: u32,
}

/// Reads the store and collects changes; nothing is changed before the ledger has the record.
#[derive(Debug)]
pub(super) struct Tx<'a> {
    pub(super) store: &'a Store,
    pub(super) caller: &'a Caller,
    pub(super) record: Record,
}

/// The staged row if there is one, otherwise the stored one.
fn find<T: Object + Clone>(staged: &[T], table: &Table<T>, id: &str) -> Option<T> {
    staged
        .iter()
        .find(|row| row.id() == id)
        .or_else(|| table.get(id))
        .cloned()
}

fn stage<T: Object + Clone>(staged: &mut Vec<T>, row: &T) {
    staged.retain(|other| other.id() != row.id());
    staged.push(row.clone());
}

impl<'a> Tx<'a> {
    pub(super) fn new(store: &'a Store, caller: &'a Caller) -> Self {
        Self {
            store,
            caller,
            record: Record {
                at: caller.now,
                ..Record::default()
            },
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.caller.now
    }

    pub(super) fn intent(&self, id: &str) -> Result<PaymentIntent, ApiError> {
        find(&self.record.intents, &self.store.intents, id)
            .ok_or_else(|| ApiError::no_such("payment_intent", id, "intent"))
    }

    pub(super) fn method(&self, id: &str) -> Option<HeldMethod> {
        find(&self.record.methods, &self.store.methods, id)
    }

    pub(super) fn customer(&self, id: &str) -> Option<Customer> {
        find(&self.record.customers, &self.store.customers, id)
    }

    pub(super) fn charge(&self, id: &str) -> Option<Charge> {
        find(&self.record.charges, &self.store.charges, id)
    }

    pub(super) fn refund(&self, id: &str) -> Result<Refund, ApiError> {
        find(&self.record.refunds, &self.store.refunds, id)
            .ok_or_else(|| ApiError::no_such("refund", id, "id"))
    }

    pub(super) fn put_intent(&mut self, row: &PaymentIntent) {
        stage(&mut self.record.intents, row);
    }

    pub(super) fn put_method(&mut self, row: &HeldMethod) {
        stage(&mut self.record.methods, row);
    }

    pub(super) fn put_customer(&mut self, row: &Customer) {
        stage(&mut self.record.customers, row);
    }

    pub(super) fn put_charge(&mut self, row: &Charge) {
        stage(&mut self.record.charges, row);
    }

    pub(super) fn put_refund(&mut self, row: &Refund) {
        stage(&mut self.record.refunds, row);
    }

    /// Any object by its id, for `expand`.
    pub(super) fn any(&self, id: &str) -> Option<Value> {
        match id.split('_').next()? {
            "pi" => self.intent(id).ok().map(|row| json!(row)),
            "pm" => self.method(id).map(|row| json!(row.method)),
            "cus" => self.customer(id).map(|row| json!(row)),
            "ch" => self.charge(id).map(|row| json!(row)),
            _ => None,
        }
    }

    /// Notes that something happened to `object`, as it is now.
    pub(super) fn emit(&mut self, kind: &str, object: Value) {
        let event = Event {
            id: fresh_id("evt"),
            object: "event".to_owned(),
            api_version: super::objects::API_VERSION.to_owned(),
            created: self.now(),
            data: json!({ "object": object }),
            livemode: false,
            pending_webhooks: self.caller.webhooks,
            request: json!({
                "id": self.caller.request_id,
                "idempotency_key": self.caller.idempotency_key,
            }),
            kind: kind.to_owned(),
        };
        self.record.events.push(event);
    }
}
