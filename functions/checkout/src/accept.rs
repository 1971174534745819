//! Orders without the database: accepted and stored on DynamoDB, priced from the
//! last-good catalogue, placed by the worker when a writer is back.

use http::StatusCode;
use shared::clock;
use shared::domain::cart::Lines;
use shared::domain::ids;
use shared::domain::intent::{IntentState, OrderIntent};
use shared::domain::pricing::Priced;
use shared::dynamo::DynamoError;
use shared::events;
use shared::http::idempotency::Answer;
use shared::http::{ApiError, Kind};
use shared::operations::place_order::{expect, price_lines};
use shared::store::idempotency::Scope;
use shared::store::last_good::LastGoodError;

use crate::AppState;
use crate::body::PlaceOrder;
use crate::place::Cart;

/// What was missing, in `X-Degraded`.
pub(crate) const DATABASE: &str = "database";

/// Stores an order that the database cannot take now. A repeat gets the same answer.
pub(crate) async fn accept(
    state: &AppState,
    scope: &Scope<'_>,
    body: &PlaceOrder,
    cart: &Cart,
) -> Result<Answer, ApiError> {
    body.payment.allowed(state).await?;
    let agreed = price(state, body, &cart.lines).await?;
    expect(body.expected_total, &agreed)?;
    let now = clock::now();
    let intent = OrderIntent {
        customer_id: scope.caller,
        order_id: ids::order_id(scope.caller, scope.key),
        key: scope.key.clone(),
        fingerprint: scope.fingerprint,
        agreed,
        address: body.shipping_address.clone(),
        means: body.payment.means(),
        cart: cart.source,
        received_at: now
            .replace_nanosecond(now.microsecond() * 1000)
            .map_err(ApiError::internal)?,
        state: IntentState::Pending,
    };
    let stored = state.intents.accept(intent.clone()).await?;
    events::nudge(state, stored.order_id, &stored.event()).await;
    let answer = received(&stored, scope)?;
    Ok(if stored == intent {
        answer
    } else {
        answer.again()
    })
}

/// The answer to a key under which an order was accepted that still waits; `None`
/// when there is none, or it is not known.
pub(crate) fn accepted_before(
    found: Result<Option<OrderIntent>, DynamoError>,
    scope: &Scope<'_>,
) -> Result<Option<Answer>, ApiError> {
    let intent = found.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "the database alone tells about the key");
        None
    });
    let Some(intent) = intent else {
        return Ok(None);
    };
    let answer = received(&intent, scope)?;
    Ok((intent.state == IntentState::Pending).then(|| answer.again()))
}

/// After an outage, has a worker look at once at what was accepted here last: the database gave
/// this answer. The sweeper tells of the rest.
pub(crate) async fn tell_recovery(state: &AppState, answer: &Answer) {
    if answer.saved().degraded.as_deref() == Some(DATABASE) {
        return;
    }
    if let Some(intent) = state.intents.take_last_accepted() {
        events::nudge(state, intent.order_id, &intent.event()).await;
    }
}

fn received(intent: &OrderIntent, scope: &Scope<'_>) -> Result<Answer, ApiError> {
    if intent.fingerprint != scope.fingerprint {
        return Err(ApiError::new(Kind::IdempotencyKeyReused));
    }
    Ok(Answer::json(StatusCode::ACCEPTED, &intent.order())?.degraded(DATABASE))
}

/// What the order costs by the last-good catalogue: this is what will be charged.
async fn price(state: &AppState, body: &PlaceOrder, lines: &Lines) -> Result<Priced, ApiError> {
    let skus = lines.skus();
    let country = body.shipping_address.country;
    let (offers, rates) = tokio::join!(
        state.last_good.offers(&skus),
        state.last_good.rates(country.as_str())
    );
    let rates = rates.map_err(unpriced)?;
    let rates = rates.ok_or_else(|| ApiError::unavailable("no rates were ever kept"))?;
    let offers = offers.map_err(unpriced)?;
    // It may be newer than what was kept: only the database can tell that there is no such thing.
    if offers.len() < skus.len() {
        return Err(ApiError::unavailable(
            "the last-good catalogue does not have every SKU",
        ));
    }
    Ok(price_lines(lines, offers, &rates, state.currency)?)
}

fn unpriced(error: LastGoodError) -> ApiError {
    ApiError::unavailable(error)
}
