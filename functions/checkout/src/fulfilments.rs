//! Sending orders: shipments of some lines or all, and their arrival.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::events::Event;
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::ids;
use shared::domain::order::{FulfilmentLine, Order, OrderError, OrderStatus};
use shared::events;
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{ApiError, Json, Path, Problem, Seller};
use shared::store::fulfilments::{self, NewFulfilment};
use shared::store::idempotency::{self, Scope};
use shared::store::{PgConnection, database, orders, outbox};
use uuid::Uuid;

use crate::AppState;
use crate::orders::seller_audience;

/// A shipment to be recorded.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FulfilmentBody {
    /// Who carries it.
    #[schema(example = "DHL")]
    carrier: String,
    /// The carrier's number for it.
    #[schema(example = "00340434161094042557")]
    tracking_number: String,
    /// What is in it; all that the caller has still to send, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<FulfilmentLine>>,
}

/// Records a shipment. The order is `fulfilled` once all of it is sent.
#[utoipa::path(
    post, path = "/orders/{id}/fulfilments", tag = "buying", security(("bearer" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = FulfilmentBody,
    responses(
        (status = 201, description = "The order, with the shipment", body = Order),
        (status = 404, description = "None, or nothing of yours in it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is not paid, or more than is left to send", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_fulfilment(
    State(state): State<AppState>,
    seller: Seller,
    Path(id): Path<Uuid>,
    key: IdempotencyKey,
    Json(body): Json<FulfilmentBody>,
) -> Result<Answer, ApiError> {
    check(&body)?;
    let caller = seller.0.id();
    let fingerprint = fingerprint(&id.to_string(), &body)?;
    let scope = Scope {
        caller,
        route: "POST /orders/{id}/fulfilments",
        key: &key,
        fingerprint,
    };
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, &scope).await?)? {
        return Ok(answer);
    }
    lock_for(&mut tx, &seller, id).await?;
    let lines = sent_lines(&mut tx, &seller, id, body.lines.as_deref()).await?;
    let fulfilment_id = ids::new_id();
    let new = NewFulfilment {
        id: fulfilment_id,
        order_id: id,
        carrier: body.carrier.trim(),
        tracking_number: body.tracking_number.trim(),
        lines: &lines,
        created_by: caller,
    };
    fulfilments::insert(&mut tx, &new).await?;
    for line in &lines {
        fulfilments::count_as_sent(&mut tx, id, line).await?;
    }
    if fulfilments::open_lines(&mut tx, id, None).await?.is_empty() {
        orders::set_status(&mut tx, id, OrderStatus::Fulfilled).await?;
    }
    outbox::add(
        &mut tx,
        id,
        &Event::OrderFulfilled {
            order_id: id,
            fulfilment_id,
        },
    )
    .await?;
    let order = orders::load(&mut tx, id, seller_audience(&seller.0)?)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let answer = Answer::json(StatusCode::CREATED, &order)?;
    idempotency::finish(&mut tx, &scope, answer.saved()).await?;
    database::commit(tx).await?;
    events::publish(&state, id).await;
    Ok(answer)
}

/// Records that a sent order has arrived.
#[utoipa::path(
    post, path = "/orders/{id}/delivered", tag = "buying", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 404, description = "None, or nothing of yours in it", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is not sent", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_delivered(
    State(state): State<AppState>,
    seller: Seller,
    Path(id): Path<Uuid>,
) -> Result<Json<Order>, ApiError> {
    let mut tx = state.database.begin().await?;
    match visible(&mut tx, &seller, id).await? {
        OrderStatus::Delivered => {}
        OrderStatus::Fulfilled => orders::set_status(&mut tx, id, OrderStatus::Delivered).await?,
        _ => return Err(OrderError::Conflict("The order is not sent.").into()),
    }
    let order = orders::load(&mut tx, id, seller_audience(&seller.0)?)
        .await?
        .ok_or_else(ApiError::not_found)?;
    database::commit(tx).await?;
    Ok(Json(order))
}

fn check(body: &FulfilmentBody) -> Result<(), ApiError> {
    for (pointer, text) in [
        ("/carrier", &body.carrier),
        ("/tracking_number", &body.tracking_number),
    ] {
        if !(1..=100).contains(&text.trim().chars().count()) || text.contains(char::is_control) {
            return Err(ApiError::invalid(
                pointer,
                "must be 1 to 100 characters, none of them a control character",
            ));
        }
    }
    let lines = body.lines.as_deref().unwrap_or_default();
    if body.lines.is_some() && lines.is_empty() {
        return Err(ApiError::invalid("/lines", "must not be empty"));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.quantity < 1 {
            return Err(ApiError::invalid(
                format!("/lines/{index}/quantity"),
                "must be at least 1",
            ));
        }
        if lines[..index].iter().any(|earlier| earlier.sku == line.sku) {
            return Err(ApiError::invalid(
                format!("/lines/{index}/sku"),
                "is given twice",
            ));
        }
    }
    Ok(())
}

/// Locks an order that the seller has lines in, and gives its status.
async fn visible(
    tx: &mut PgConnection,
    seller: &Seller,
    id: Uuid,
) -> Result<OrderStatus, ApiError> {
    let order = orders::lock(tx, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if !seller.0.is_admin() && !fulfilments::has_lines_of(tx, id, seller.0.id()).await? {
        return Err(ApiError::not_found());
    }
    Ok(order.status)
}

async fn lock_for(tx: &mut PgConnection, seller: &Seller, id: Uuid) -> Result<(), ApiError> {
    match visible(tx, seller, id).await? {
        OrderStatus::Paid => Ok(()),
        _ => Err(OrderError::Conflict("Only a paid order can be sent.").into()),
    }
}

/// What is in the shipment; each line must be the seller's and still to be sent.
async fn sent_lines(
    tx: &mut PgConnection,
    seller: &Seller,
    id: Uuid,
    asked: Option<&[FulfilmentLine]>,
) -> Result<Vec<FulfilmentLine>, ApiError> {
    let own = (!seller.0.is_admin()).then(|| seller.0.id());
    let open = fulfilments::open_lines(tx, id, own).await?;
    let Some(asked) = asked else {
        return if open.is_empty() {
            Err(OrderError::Conflict("There is nothing left to send.").into())
        } else {
            Ok(open)
        };
    };
    for line in asked {
        let left = open
            .iter()
            .find(|open| open.sku == line.sku)
            .map_or(0, |open| open.quantity);
        if line.quantity > left {
            return Err(OrderError::Conflict("More than is left to send.").into());
        }
    }
    Ok(asked.to_vec())
}
