//! Changes of what is on hand.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::catalogue::{Reason, Sku};
use shared::domain::events::Event;
use shared::domain::idempotency::IdempotencyKey;
use shared::events;
use shared::http::idempotency::{Answer, answer_before, commit, fingerprint};
use shared::http::{ApiError, Json, Path, Problem, Seller};
use shared::store::database;
use shared::store::idempotency::{self, Scope};
use shared::store::outbox;
use shared::store::stock::{self, Adjustment};
use utoipa::ToSchema;

use crate::AppState;
use crate::ownership::may_change;
use crate::products::id;
use crate::views::StockView;

/// The largest change at once; more is a slip of the finger.
const DELTA_MAX: i64 = 1_000_000;

/// A change of what is on hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockChange {
    /// How many more (or, below zero, fewer) there are; not zero.
    #[schema(minimum = -1_000_000, maximum = 1_000_000, example = 12)]
    delta: i64,
    /// Why.
    reason: Reason,
}

/// Changes how many of a variant are on hand.
#[utoipa::path(
    post, path = "/products/{product}/variants/{sku}/stock-adjustments", tag = "catalogue",
    security(("bearer" = [])),
    params(
        ("product" = Uuid, Path, description = "The product's id"),
        ("sku" = String, Path, description = "The variant's SKU", example = "MUG-BLUE"),
        ("Idempotency-Key" = String, Header, description = "The caller's name for this request"),
    ),
    request_body = StockChange,
    responses(
        (status = 200, body = StockView, description = "The stock as it is now"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "It is another seller's"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such variant"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Less would be on hand than is reserved"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
    )
)]
pub async fn post_stock_adjustment(
    State(state): State<AppState>,
    Path((product, sku)): Path<(String, Sku)>,
    seller: Seller,
    key: IdempotencyKey,
    Json(body): Json<StockChange>,
) -> Result<Answer, ApiError> {
    let product = id(&product)?;
    let delta = delta(body.delta)?;
    let scope = Scope {
        caller: seller.0.id(),
        route: "POST /products/{id}/variants/{sku}/stock-adjustments",
        key: &key,
        fingerprint: fingerprint(&format!("{product}/{}", sku.as_str()), &body)?,
    };
    let adjustment = Adjustment {
        sku: &sku,
        delta,
        reason: &body.reason,
        actor: seller.0.id(),
    };
    let mut tx = state.database.begin().await?;
    let adjusted = database::within(async {
        if let Some(answer) = answer_before(idempotency::claim(&mut tx, &scope).await?)? {
            return Ok(answer);
        }
        let owner = stock::owner(&mut tx, product, &sku)
            .await?
            .ok_or_else(ApiError::not_found)?;
        may_change(&seller, owner.seller_id, owner.status)?;
        let stock = stock::adjust(&mut tx, adjustment).await?;
        let answer = Answer::json(StatusCode::OK, &StockView::from(stock))?;
        idempotency::finish(&mut tx, &scope, answer.saved()).await?;
        let changed = Event::ProductChanged {
            product_id: product,
        };
        outbox::add(&mut tx, product, &changed).await?;
        Ok::<_, ApiError>(answer)
    });
    let answer = adjusted.await?;
    // One that was given before is in the transaction that stored it.
    let answer = commit(&state, tx, &scope, answer).await?;
    state.reads.expire();
    events::publish(&state, product).await;
    Ok(answer)
}

fn delta(delta: i64) -> Result<i32, ApiError> {
    let inside = delta != 0 && (-DELTA_MAX..=DELTA_MAX).contains(&delta);
    i32::try_from(delta)
        .ok()
        .filter(|_| inside)
        .ok_or_else(|| ApiError::invalid("/delta", "must be from -1000000 to 1000000, and not 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_neither_nothing_nor_huge() {
        for good in [1, -1, DELTA_MAX, -DELTA_MAX] {
            assert!(delta(good).is_ok(), "{good}");
        }
        for bad in [0, DELTA_MAX + 1, -DELTA_MAX - 1, i64::MIN] {
            assert!(delta(bad).is_err(), "{bad}");
        }
    }
}
