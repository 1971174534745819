//! Orders that were accepted without the database and wait for it, beside those
//! that the database has.

use std::cmp::Reverse;
use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use shared::domain::intent::{IntentState, OrderIntent};
use shared::domain::order::Order;
use shared::dynamo::DynamoError;
use shared::http::ApiError;
use shared::store::orders::{self, Audience, Position};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::AppState;
use crate::accept::DATABASE;

/// What was found, and the headers that say what was missing.
pub(crate) struct Found<T> {
    pub(crate) found: T,
    pub(crate) degraded: HeaderMap,
}

impl<T> Found<T> {
    /// Nothing was missing.
    pub(crate) fn whole(found: T) -> Self {
        Self {
            found,
            degraded: HeaderMap::new(),
        }
    }

    /// `missing` was away.
    pub(crate) fn without(missing: &'static str, found: T) -> Self {
        let header = (
            HeaderName::from_static("x-degraded"),
            HeaderValue::from_static(missing),
        );
        Self {
            found,
            degraded: HeaderMap::from_iter([header]),
        }
    }
}

/// An order that waits, as `audience` may see it. Sellers see orders once they are placed.
pub(crate) async fn intent(
    state: &AppState,
    order_id: Uuid,
    audience: Audience,
) -> Result<Option<OrderIntent>, ApiError> {
    let found = match audience {
        Audience::Customer(customer) => state.intents.glance(customer, order_id).await?,
        Audience::Admin => state.intents.waiting_order(order_id).await?,
        Audience::Seller(_) => None,
    };
    Ok(found.filter(|intent| intent.state == IntentState::Pending))
}

/// A page of orders, the newest first, with those that wait: `limit` and one more
/// if there is one. Without the database only those that wait, and the other way round.
pub(crate) async fn merged(
    state: &AppState,
    audience: Audience,
    after: Option<Position>,
    limit: usize,
) -> Result<Found<Vec<Order>>, ApiError> {
    let placed = state
        .database
        .read_own(|pool| async move { orders::list(&pool, audience, after, limit).await });
    let (placed, waiting) = tokio::join!(placed, listed(state, audience, after, limit));
    Ok(match (placed, waiting) {
        (Ok(placed), Ok(waiting)) => Found::whole(merge(placed, waiting, after, limit)),
        (Ok(placed), Err(error)) => {
            tracing::warn!(error = %error, "the list goes on without the orders that wait");
            Found::without("intents", placed)
        }
        (Err(_), Ok(waiting)) => Found::without(DATABASE, merge(Vec::new(), waiting, after, limit)),
        (Err(error), Err(_)) => return Err(error.into()),
    })
}

async fn listed(
    state: &AppState,
    audience: Audience,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Order>, DynamoError> {
    let intents = match audience {
        Audience::Customer(customer) => state.intents.of_customer(customer).await?,
        Audience::Admin => {
            let until = after.and_then(|after| {
                OffsetDateTime::from_unix_timestamp_nanos(after.created_at.into()).ok()
            });
            // The last one shown, and one more for the next page.
            state.intents.newest(until, limit + 2).await?
        }
        Audience::Seller(_) => Vec::new(),
    };
    Ok(intents.iter().map(OrderIntent::order).collect())
}

/// What the database says of an order goes before what was accepted.
fn merge(
    placed: Vec<Order>,
    waiting: Vec<Order>,
    after: Option<Position>,
    limit: usize,
) -> Vec<Order> {
    let place = |order: &Order| {
        let Position { created_at, id } = Position::of(order);
        (created_at, id)
    };
    let known: HashSet<Uuid> = placed.iter().map(|order| order.id).collect();
    let waiting = waiting.into_iter().filter(|order| {
        let shown = after.is_some_and(|after| place(order) >= (after.created_at, after.id));
        !shown && !known.contains(&order.id)
    });
    let mut orders: Vec<Order> = placed.into_iter().chain(waiting).collect();
    orders.sort_by_key(|order| Reverse(place(order)));
    orders.truncate(limit + 1);
    orders
}
