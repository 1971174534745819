//! `projector`: keeps the last-good catalogue in S3 as the database has it, and makes what is
//! trending, recommended and counted of what people do and buy.
#![recursion_limit = "256"]

mod activity;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::domain::events::Event;
use shared::events::{Failure, Sent};
use shared::operations::project_catalogue::{self, Recent};
use shared::state::Projector;
use time::OffsetDateTime;
use uuid::Uuid;

use activity::Report;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Projector>;

/// What a batch of events asks for, each thing once.
#[derive(Debug, Default)]
struct Asked<'a> {
    /// Each with its latest change.
    products: BTreeMap<Uuid, OffsetDateTime>,
    categories: bool,
    rates: bool,
    /// That were paid or cancelled.
    orders: BTreeSet<Uuid>,
    /// What browsers reported.
    reports: Vec<Report<'a>>,
}

/// Which of these failed, and why.
#[derive(Debug, Default)]
struct Failed {
    products: BTreeSet<Uuid>,
    /// Why all of the products failed, if it was together.
    together: Option<String>,
    categories: Option<String>,
    rates: Option<String>,
    orders: Option<String>,
    reports: Option<String>,
}

impl Failed {
    /// Why a product failed; nothing when it did not.
    fn product(&self, id: Uuid) -> Option<&str> {
        // Its own reason is in the log.
        let why = self.together.as_deref().unwrap_or("the product failed");
        self.products.contains(&id).then_some(why)
    }
}

/// Handles a batch of events: each list and each product once, however often
/// they changed, and not at all when that was done after they changed. One
/// result per event, in their order.
pub async fn handle(
    state: AppState,
    recent: Arc<Recent>,
    events: Vec<Sent>,
) -> Vec<Result<(), Failure>> {
    let failed = project(&state, &recent, asked(&events)).await;
    let result = |sent: &Sent| {
        let why = match &sent.event {
            Event::ProductChanged { product_id } => failed.product(*product_id),
            Event::CategoriesChanged => failed.categories.as_deref(),
            Event::RatesChanged => failed.rates.as_deref(),
            Event::OrderPaid { .. } | Event::OrderCancelled { .. } => failed.orders.as_deref(),
            Event::ActivityReported { .. } => failed.reports.as_deref(),
            // Sent to other queues.
            _ => return Err(Failure::defect("the event is not for this queue")),
        };
        match why {
            Some(why) => Err(Failure::again(format!("it was not projected: {why}"))),
            None => Ok(()),
        }
    };
    events.iter().map(result).collect()
}

fn asked(events: &[Sent]) -> Asked<'_> {
    let mut asked = Asked::default();
    for Sent { event, at, .. } in events {
        match event {
            Event::ProductChanged { product_id } => {
                let latest = asked.products.entry(*product_id).or_insert(*at);
                *latest = (*latest).max(*at);
            }
            Event::CategoriesChanged => asked.categories = true,
            Event::RatesChanged => asked.rates = true,
            Event::OrderPaid { order_id } | Event::OrderCancelled { order_id } => {
                asked.orders.insert(*order_id);
            }
            Event::ActivityReported { weight, activities } => {
                asked.reports.push((*weight, activities.as_slice()));
            }
            _ => {}
        }
    }
    asked
}

async fn project(state: &AppState, recent: &Recent, asked: Asked<'_>) -> Failed {
    let mut failed = Failed::default();
    let orders = Vec::from_iter(asked.orders);
    failed.orders = reason("recommendations", activity::recommend(state, &orders).await);
    failed.reports = reason("activity", activity::count(state, &asked.reports).await);
    if asked.rates {
        let rates = project_catalogue::rates(state).await;
        failed.rates = reason("rates", rates);
    }
    if asked.categories {
        let categories = project_catalogue::categories(state).await;
        failed.categories = reason("categories", categories);
    }
    if !asked.products.is_empty() {
        match project_catalogue::products(state, recent, &asked.products).await {
            Ok(products) => failed.products = products,
            Err(error) => {
                failed.together = reason::<(), _>("lists", Err(error));
                failed.products = asked.products.into_keys().collect();
            }
        }
    }
    failed
}

/// Why it failed, which is logged as well.
fn reason<T, E: std::error::Error + 'static>(
    what: &'static str,
    result: Result<T, E>,
) -> Option<String> {
    let error = shared::telemetry::chain(&result.err()?);
    tracing::warn!(what, error, "it was not projected");
    Some(error)
}
