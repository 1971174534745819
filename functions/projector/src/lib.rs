//! `projector`: keeps the last-good catalogue in S3 as the database has it.
#![recursion_limit = "256"]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::domain::events::Event;
use shared::events::{Failure, Sent};
use shared::operations::project_catalogue::{self, ProjectError, Recent};
use shared::state::Projector;
use time::OffsetDateTime;
use uuid::Uuid;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Projector>;

/// What a batch of events asks for, each thing once.
#[derive(Debug, Default)]
struct Asked {
    /// Each with its latest change.
    products: BTreeMap<Uuid, OffsetDateTime>,
    categories: bool,
    rates: bool,
}

/// Which of these failed.
#[derive(Debug, Default)]
struct Failed {
    products: BTreeSet<Uuid>,
    categories: bool,
    rates: bool,
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
        let again = match &sent.event {
            Event::ProductChanged { product_id } => failed.products.contains(product_id),
            Event::CategoriesChanged => failed.categories,
            Event::RatesChanged => failed.rates,
            // Sent to other queues.
            _ => return Err(Failure::again("the event is not for this queue")),
        };
        if again {
            Err(Failure::again("the catalogue was not brought"))
        } else {
            Ok(())
        }
    };
    events.iter().map(result).collect()
}

fn asked(events: &[Sent]) -> Asked {
    let mut asked = Asked::default();
    for Sent { event, at } in events {
        match event {
            Event::ProductChanged { product_id } => {
                let latest = asked.products.entry(*product_id).or_insert(*at);
                *latest = (*latest).max(*at);
            }
            Event::CategoriesChanged => asked.categories = true,
            Event::RatesChanged => asked.rates = true,
            _ => {}
        }
    }
    asked
}

async fn project(state: &AppState, recent: &Recent, asked: Asked) -> Failed {
    let mut failed = Failed::default();
    if asked.rates {
        let rates = project_catalogue::rates(state).await;
        failed.rates = is_failure("rates", rates);
    }
    if asked.categories {
        let categories = project_catalogue::categories(state).await;
        failed.categories = is_failure("categories", categories);
    }
    if !asked.products.is_empty() {
        match project_catalogue::products(state, recent, &asked.products).await {
            Ok(products) => failed.products = products,
            Err(error) => {
                is_failure::<()>("lists", Err(error));
                failed.products = asked.products.into_keys().collect();
            }
        }
    }
    failed
}

fn is_failure<T>(what: &'static str, result: Result<T, ProjectError>) -> bool {
    let Err(error) = result else { return false };
    let error = shared::telemetry::chain(&error);
    tracing::warn!(what, error, "the catalogue was not brought");
    true
}
