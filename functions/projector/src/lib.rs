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
    products: BTreeMap<Uuid, String>,
    categories: Option<String>,
    rates: Option<String>,
    orders: Option<String>,
    reports: Option<String>,
}

impl Failed {
    /// What an event's failure is, with its own cause.
    fn result(&self, event: &Event) -> Result<(), Failure> {
        let why = match event {
            Event::ProductChanged { product_id } => self.products.get(product_id),
            Event::CategoriesChanged => self.categories.as_ref(),
            Event::RatesChanged => self.rates.as_ref(),
            Event::OrderPaid { .. } | Event::OrderCancelled { .. } => self.orders.as_ref(),
            Event::ActivityReported { .. } => self.reports.as_ref(),
            // Sent to other queues.
            _ => return Err(Failure::defect("the event is not for this queue")),
        };
        why.map_or(Ok(()), |why| {
            Err(Failure::again(format!("it was not projected: {why}")))
        })
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
    let results = events.iter().map(|sent| failed.result(&sent.event));
    results.collect()
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
            Ok(products) => {
                let products = products.into_iter();
                let products = products.map(|(id, why)| (id, shared::telemetry::chain(&why)));
                failed.products = products.collect();
            }
            Err(error) => {
                let why = because("lists", &error);
                let all = asked.products.into_keys();
                failed.products = all.map(|id| (id, why.clone())).collect();
            }
        }
    }
    failed
}

fn reason<T, E: std::error::Error + 'static>(
    what: &'static str,
    result: Result<T, E>,
) -> Option<String> {
    Some(because(what, &result.err()?))
}

/// Why something failed that several events asked for, which is logged once as well.
fn because(what: &'static str, error: &(dyn std::error::Error + 'static)) -> String {
    let error = shared::telemetry::chain(error);
    tracing::warn!(what, error, "it was not projected");
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_that_failed_says_why() {
        let [gone, torn, fine] = [1, 2, 3].map(Uuid::from_u128);
        let failed = Failed {
            products: [(gone, "S3 is away".into()), (torn, "it is torn".into())].into(),
            orders: Some("the database is away".into()),
            ..Failed::default()
        };
        let why = |event: Event| {
            let failure = failed.result(&event).err()?;
            Some(shared::telemetry::chain(&failure))
        };
        let changed = |product_id| why(Event::ProductChanged { product_id });
        let paid = why(Event::OrderPaid { order_id: fine });
        for (said, cause) in [
            (changed(gone), "S3 is away"),
            (changed(torn), "it is torn"),
            (paid, "the database is away"),
        ] {
            let expected = format!("it was not projected: {cause}");
            let said = said.unwrap_or_default();
            assert!(said.ends_with(&expected), "{said}");
        }
        assert_eq!((changed(fine), why(Event::RatesChanged)), (None, None));
    }
}
