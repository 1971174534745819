//! The lines of a cart.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::domain::cart::Quantity;
use shared::domain::catalogue::Sku;
use shared::domain::flags::Flag;
use shared::dynamo::DynamoError;
use shared::dynamo::carts::StoredLine;
use shared::http::{Anyone, ApiError, Json, Kind, Path, Problem, User};
use shared::store::reservations;
use uuid::Uuid;

use crate::AppState;
use crate::carts::{CHANGES_MAX, CartView, refuse_too_many, view, visible};

/// How many of a SKU.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CartLineBody {
    quantity: Quantity,
}

/// Sets how many of a SKU are in a cart.
#[utoipa::path(
    put, path = "/carts/{id}/lines/{sku}", tag = "buying", params(("id" = Uuid, Path), ("sku" = String, Path)),
    request_body = CartLineBody,
    responses(
        (status = 200, description = "The cart", body = CartView),
        (status = 404, description = "No such cart, or the SKU is not for sale", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a quantity", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put_line(
    State(state): State<AppState>,
    Anyone(user): Anyone,
    Path((id, sku)): Path<(Uuid, Sku)>,
    Json(body): Json<CartLineBody>,
) -> Result<Json<CartView>, ApiError> {
    state.flags.require(Flag::Carts).await?;
    let skus: &[String] = &[sku.to_string()];
    let offers = state
        .database
        .read(|pool| async move { reservations::offers(&pool, skus).await })
        .await?;
    if offers.is_empty() {
        return Err(ApiError::not_found().detail(format!("{sku} is not for sale.")));
    }
    change(&state, user.as_ref(), id, |lines| {
        match lines.iter_mut().find(|line| line.sku == sku) {
            Some(line) => line.quantity = body.quantity,
            None => lines.push(StoredLine {
                sku: sku.clone(),
                quantity: body.quantity,
            }),
        }
    })
    .await
}

/// Takes a SKU out of a cart. One that is not there changes nothing.
#[utoipa::path(
    delete, path = "/carts/{id}/lines/{sku}", tag = "buying", params(("id" = Uuid, Path), ("sku" = String, Path)),
    responses((status = 200, description = "The cart", body = CartView), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn delete_line(
    State(state): State<AppState>,
    Anyone(user): Anyone,
    Path((id, sku)): Path<(Uuid, Sku)>,
) -> Result<Json<CartView>, ApiError> {
    state.flags.require(Flag::Carts).await?;
    change(&state, user.as_ref(), id, |lines| {
        lines.retain(|line| line.sku != sku)
    })
    .await
}

/// Applies a change to the cart as it is now, again when somebody else was faster.
async fn change(
    state: &AppState,
    user: Option<&User>,
    id: Uuid,
    apply: impl Fn(&mut Vec<StoredLine>),
) -> Result<Json<CartView>, ApiError> {
    for _ in 0..CHANGES_MAX {
        let cart = visible(state, user, id).await?;
        let mut lines = cart.lines.clone();
        apply(&mut lines);
        refuse_too_many(&lines)?;
        let cart = cart.changed(lines);
        match state.carts.put_cart(&cart).await {
            Ok(()) => return Ok(Json(view(state, cart).await?)),
            Err(DynamoError::ConditionFailed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::new(Kind::Conflict).detail("The cart is being changed by others."))
}
