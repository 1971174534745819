//! Carts: making, reading, removing and merging them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use shared::domain::catalogue::Sku;
use shared::domain::flags::Flag;
use shared::domain::money::Money;
use shared::domain::order::OrderError;
use shared::domain::pricing::{self, Totals};
use shared::dynamo::DynamoError;
use shared::dynamo::carts::{StoredCart, StoredLine};
use shared::http::{Anyone, ApiError, BASE_PATH, Json, Kind, Path, Problem, User};
use shared::store::{rates, reservations};
use uuid::Uuid;

use crate::AppState;

/// How often a change is tried again when somebody else changed the cart meanwhile.
pub(crate) const CHANGES_MAX: usize = 5;

/// A cart, priced as of now for the shop's own country.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct CartView {
    /// Knowing it is the right to use it, unless the cart is a user's.
    id: Uuid,
    /// Counts the changes.
    version: i64,
    lines: Vec<CartLine>,
    totals: Totals,
}

/// One SKU of a cart.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
struct CartLine {
    sku: Sku,
    title: String,
    quantity: u32,
    /// Null when it is not for sale any more.
    unit_price: Option<Money>,
    line_total: Money,
    /// How many can be ordered now.
    available: i32,
}

/// Where a cart goes.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeBody {
    /// The cart that takes the lines.
    into: Uuid,
}

/// Makes an empty cart. Signed in, it is the user's alone.
#[utoipa::path(
    post, path = "/carts", tag = "buying",
    responses((status = 201, description = "Made", body = CartView), (status = 503, body = Problem, content_type = "application/problem+json", description = "Carts are away"))
)]
pub(crate) async fn post_cart(
    State(state): State<AppState>,
    Anyone(user): Anyone,
) -> Result<Response, ApiError> {
    state.flags.require(Flag::Carts).await?;
    let cart = StoredCart::empty(user.map(|user| user.id()));
    match state.carts.put_cart(&cart).await {
        // The id is new, so a write that finds it is a repeat of our own.
        Ok(()) | Err(DynamoError::ConditionFailed) => {}
        Err(error) => return Err(error.into()),
    }
    let location = format!("{BASE_PATH}/carts/{}", cart.id);
    let view = view(&state, cart).await?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(view),
    )
        .into_response())
}

/// Shows a cart, priced as of now.
#[utoipa::path(
    get, path = "/carts/{id}", tag = "buying", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The cart", body = CartView), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn get_cart(
    State(state): State<AppState>,
    Anyone(user): Anyone,
    Path(id): Path<Uuid>,
) -> Result<Json<CartView>, ApiError> {
    let cart = visible(&state, user.as_ref(), id).await?;
    Ok(Json(view(&state, cart).await?))
}

/// Removes a cart.
#[utoipa::path(
    delete, path = "/carts/{id}", tag = "buying", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn delete_cart(
    State(state): State<AppState>,
    Anyone(user): Anyone,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    visible(&state, user.as_ref(), id).await?;
    state.carts.delete_cart(id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves a cart's lines into another of the user's. Twice does no more than once.
#[utoipa::path(
    post, path = "/carts/{id}/merge", tag = "buying", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The cart that is emptied")), request_body = MergeBody,
    responses((status = 200, description = "The cart that took the lines", body = CartView), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn post_merge(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
    Json(body): Json<MergeBody>,
) -> Result<Json<CartView>, ApiError> {
    state.flags.require(Flag::Carts).await?;
    if id == body.into {
        return Err(ApiError::invalid("/into", "must be another cart"));
    }
    for _ in 0..CHANGES_MAX {
        let into = visible(&state, Some(&user), body.into).await?;
        let from = state
            .carts
            .cart(id)
            .await?
            .filter(|cart| may_use(cart, Some(&user)));
        let from = from.ok_or_else(ApiError::not_found)?;
        match from.merged_into {
            Some(merged) if merged == into.id => return Ok(Json(view(&state, into).await?)),
            Some(_) => return Err(ApiError::not_found()),
            None => {}
        }
        let lines = merged_lines(&into, &from)?;
        let into = into.changed(lines);
        match state.carts.merge_carts(&from, &into).await {
            Ok(()) => return Ok(Json(view(&state, into).await?)),
            Err(DynamoError::ConditionFailed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::new(Kind::Conflict).detail("The cart is being changed by others."))
}

fn merged_lines(into: &StoredCart, from: &StoredCart) -> Result<Vec<StoredLine>, ApiError> {
    let mut lines = into.lines.clone();
    for line in &from.lines {
        match lines.iter_mut().find(|present| present.sku == line.sku) {
            Some(present) => present.quantity = present.quantity.saturating_plus(line.quantity),
            None => lines.push(line.clone()),
        }
    }
    refuse_too_many(&lines)?;
    Ok(lines)
}

/// A cart holds no more lines than an order may have.
pub(crate) fn refuse_too_many(lines: &[StoredLine]) -> Result<(), ApiError> {
    if lines.len() > shared::domain::cart::LINES_MAX {
        return Err(
            ApiError::new(Kind::Conflict).detail("A cart holds at most 100 different SKUs.")
        );
    }
    Ok(())
}

/// A cart that the caller may use. Somebody else's is as absent as none.
pub(crate) async fn visible(
    state: &AppState,
    user: Option<&User>,
    id: Uuid,
) -> Result<StoredCart, ApiError> {
    let cart = state.carts.cart(id).await?;
    cart.filter(|cart| may_use(cart, user) && cart.merged_into.is_none())
        .ok_or_else(ApiError::not_found)
}

fn may_use(cart: &StoredCart, user: Option<&User>) -> bool {
    cart.owner
        .is_none_or(|owner| user.is_some_and(|user| user.id() == owner))
}

/// A cart with titles, prices and stock as of now.
pub(crate) async fn view(state: &AppState, cart: StoredCart) -> Result<CartView, ApiError> {
    let skus: &[String] = &cart
        .lines
        .iter()
        .map(|line| line.sku.to_string())
        .collect::<Vec<_>>();
    let country = state.config.country;
    let read = state.database.read(|pool| async move {
        let offers = reservations::offers(&pool, skus).await?;
        Ok((offers, rates::of_country(&pool, country.as_str()).await?))
    });
    let (offers, rates) = read.await?;
    let rates = rates.ok_or_else(|| ApiError::internal("the rate tables are empty"))?;
    let currency = state.currency;
    let lines: Vec<_> = cart
        .lines
        .iter()
        .map(|line| cart_line(line, &offers, Money::zero(currency)))
        .collect();
    let totals = pricing::totals(
        &lines.iter().map(|line| line.line_total).collect::<Vec<_>>(),
        &rates,
        currency,
    )
    .map_err(|_| OrderError::TotalTooLarge)?;
    Ok(CartView {
        id: cart.id,
        version: cart.version,
        lines,
        totals,
    })
}

fn cart_line(line: &StoredLine, offers: &[reservations::Offer], zero: Money) -> CartLine {
    let quantity = line.quantity.get();
    let offer = offers.iter().find(|offer| offer.sku == line.sku.as_str());
    let unit_price = offer.map(|offer| Money::new(offer.price_minor, zero.currency()));
    CartLine {
        sku: line.sku.clone(),
        title: offer.map_or_else(|| line.sku.to_string(), |offer| offer.title.clone()),
        quantity,
        unit_price,
        line_total: unit_price
            .and_then(|price| price.times(quantity).ok())
            .unwrap_or(zero),
        available: offer.map_or(0, |offer| offer.available),
    }
}
