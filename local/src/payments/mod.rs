//! The payment sandbox: the part of Stripe's HTTP API that the shop uses, without any money.
//!
//! What it does, after Stripe's documentation: payment intents (create, confirm, capture, cancel,
//! retrieve, list), payment methods from the published test cards, customers, refunds within
//! what was captured, charges and events to read, `expand`, cursors, `Idempotency-Key`, errors in
//! Stripe's shape, 3-D Secure with a page for the customer, and signed webhooks that are retried.
//! Everything is in an append-only ledger file and survives a restart.
//!
//! What it does not do: card numbers, other kinds of payment method, setup intents, checkout
//! sessions, subscriptions, Connect, disputes, fees, balances, payouts, asynchronous refunds,
//! rate limits, updates of intents, and old API versions. A parameter that is not modelled is
//! refused as unknown rather than ignored. Below `/_sandbox/` is what Stripe does not have: the
//! ledger, the outcome of an authentication, the webhook's address.

mod cards;
mod charges;
mod confirm;
mod currencies;
mod customers;
mod errors;
mod events;
mod form;
mod idempotency;
mod intents;
mod ledger;
mod lists;
mod methods;
mod objects;
mod pages;
mod pipeline;
mod refunds;
mod routes;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use time::OffsetDateTime;

use errors::ApiError;
use idempotency::{Answer, Keyed, Keys};
use ledger::{Ledger, Record};
use objects::{Event, fresh_id};
use routes::Operation;
use store::{Caller, Store, Tx};
use webhooks::{Endpoint, Sender};

/// How a sandbox is started.
#[derive(Clone)]
pub struct Options {
    /// The address to listen on; it is also in the links that the sandbox hands out.
    pub listen: SocketAddr,
    /// The folder of the ledger, made if absent. One process at a time may use it.
    pub data_dir: PathBuf,
    /// The one secret key that is accepted (`sk_test_…`).
    pub secret_key: String,
    /// Where events are sent, and the secret (`whsec_…`) that signs them.
    pub webhook: Option<(String, String)>,
}

/// Serves the sandbox until ctrl-c or SIGTERM.
///
/// # Errors
/// The address is taken, or the ledger cannot be read or is in use.
pub async fn serve(mut options: Options) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    options.listen = listener.local_addr()?;
    tracing::info!(address = %options.listen, "the payment sandbox listens");
    let sandbox = Sandbox::open(options)?;
    sandbox.resume_deliveries();
    axum::serve(listener, sandbox.router())
        .with_graceful_shutdown(stop_signal())
        .await?;
    Ok(())
}

/// A sandbox in this process; clones share their state.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    books: Mutex<Books>,
    endpoint: Mutex<Option<Endpoint>>,
    sender: Sender,
    secret_key: String,
    base_url: String,
    latency: Duration,
}

/// What changes together, behind one lock that is never held across an await.
struct Books {
    store: Store,
    keys: Keys,
    ledger: Ledger,
}

impl Sandbox {
    /// Opens the ledger and rebuilds everything from it.
    ///
    /// # Errors
    /// The ledger cannot be read, or another process uses it.
    pub fn open(options: Options) -> anyhow::Result<Self> {
        let (mut store, mut keys) = (Store::default(), Keys::default());
        let ledger = Ledger::open(&options.data_dir, |mut record| {
            record
                .answer
                .take()
                .into_iter()
                .for_each(|answer| keys.store(answer));
            store.apply(record);
        })?;
        let inner = Inner {
            books: Mutex::new(Books {
                store,
                keys,
                ledger,
            }),
            endpoint: Mutex::new(
                options
                    .webhook
                    .map(|(url, secret)| Endpoint { url, secret }),
            ),
            sender: Sender::new()?,
            secret_key: options.secret_key,
            base_url: format!("http://{}", options.listen),
            latency: Duration::ZERO,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Lets every API call take this long, as the card networks would.
    ///
    /// Has no effect once the sandbox has been cloned or a router has been made.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.latency = latency;
        }
        self
    }

    /// All routes; its requests must run on a tokio runtime with time and IO.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/{*path}", any(pipeline::answer))
            .merge(pages::router())
            .with_state(self.clone())
    }

    /// Sends again what was not acknowledged when an earlier process ended.
    pub fn resume_deliveries(&self) {
        let events = self.books().store.undelivered();
        self.deliver(events);
    }

    /// Runs a validated request, writes down all that it changed, and returns its answer.
    fn execute(
        &self,
        operation: Operation,
        caller: &Caller,
        keyed: Option<&Keyed>,
    ) -> (u16, String) {
        let mut guard = self.books();
        let books = &mut *guard;
        let mut tx = Tx::new(&books.store, caller);
        let (status, body) = match operation(&mut tx) {
            Ok(value) => (200, value.to_string()),
            Err(error) => (error.status, error.to_value().to_string()),
        };
        let mut record = tx.record;
        record.answer = keyed.map(|keyed| Answer {
            key: keyed.key.clone(),
            fingerprint: keyed.fingerprint.clone(),
            request_id: caller.request_id.clone(),
            status,
            body: body.clone(),
        });
        match books.keep(record) {
            Ok(events) => {
                drop(guard);
                self.deliver(events);
                (status, body)
            }
            Err(error) => {
                tracing::error!(%error, "the ledger cannot be written");
                let error = ApiError::internal();
                (error.status, error.to_value().to_string())
            }
        }
    }

    fn caller(&self, idempotency_key: Option<String>) -> Caller {
        Caller {
            request_id: fresh_id("req"),
            idempotency_key,
            now: OffsetDateTime::now_utc().unix_timestamp(),
            base_url: self.inner.base_url.clone(),
            webhooks: u32::from(self.endpoint().is_some()),
        }
    }

    fn deliver(&self, events: Vec<Event>) {
        if self.endpoint().is_none() {
            return;
        }
        for event in events {
            self.inner.sender.deliver(self.clone(), event);
        }
    }

    fn note_delivered(&self, event: &str) {
        let record = Record {
            at: OffsetDateTime::now_utc().unix_timestamp(),
            delivered: Some(event.to_owned()),
            ..Record::default()
        };
        if let Err(error) = self.books().keep(record) {
            tracing::error!(%error, "the ledger cannot be written");
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.inner
            .books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.inner
            .endpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_endpoint(&self, endpoint: Endpoint) {
        let mut current = self
            .inner
            .endpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Some(endpoint);
    }

    fn secret_key(&self) -> &str {
        &self.inner.secret_key
    }

    fn latency(&self) -> Duration {
        self.inner.latency
    }
}

impl Books {
    /// First into the file, then into memory; returns the events that are new.
    fn keep(&mut self, mut record: Record) -> anyhow::Result<Vec<Event>> {
        if record.is_empty() {
            return Ok(Vec::new());
        }
        self.ledger.append(&record)?;
        record
            .answer
            .take()
            .into_iter()
            .for_each(|answer| self.keys.store(answer));
        let events = record.events.clone();
        self.store.apply(record);
        Ok(events)
    }
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tokio::signal::ctrl_c().await.ok();
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
