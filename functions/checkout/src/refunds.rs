//! Refunds that an admin makes.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::domain::flags::Flag;
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::ids;
use shared::domain::money::Money;
use shared::domain::order::OrderError;
use shared::events;
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{Admin, ApiError, Json, Path, Problem, SteppedUp};
use shared::operations::refund_order;
use shared::store::audit::{self, Entry};
use shared::store::idempotency::{self, Scope};
use shared::store::refunds::{self, NewRefund, RefundState};
use shared::store::{database, orders};
use uuid::Uuid;

use crate::AppState;

/// A refund to be made.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundBody {
    /// All that was not paid back yet, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    /// 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "arrived damaged")]
    reason: Reason,
}

/// A refund.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct RefundView {
    id: Uuid,
    order_id: Uuid,
    amount: Money,
    reason: String,
    /// `pending` while the provider is away; it is made later.
    status: RefundState,
}

/// Pays an order back, in part or whole; never more than was captured.
#[utoipa::path(
    post, path = "/orders/{id}/refunds", tag = "buying", security(("bearer" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = RefundBody,
    responses(
        (status = 201, description = "The refund", body = RefundView),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "More than was captured", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_refund(
    State(state): State<AppState>,
    SteppedUp(Admin(user)): SteppedUp,
    Path(id): Path<Uuid>,
    key: IdempotencyKey,
    Json(body): Json<RefundBody>,
) -> Result<Answer, ApiError> {
    check(&body, state.currency)?;
    state.flags.require(Flag::Refunds).await?;
    let fingerprint = fingerprint(&id.to_string(), &body)?;
    let scope = Scope {
        caller: user.id(),
        route: "POST /orders/{id}/refunds",
        key: &key,
        fingerprint,
    };
    let refund_id = ids::derived("refund", user.id(), key.as_str());
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, &scope).await?)? {
        return Ok(answer);
    }
    let order = orders::lock(&mut tx, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let left = order.captured_minor - order.refunded_minor;
    let amount_minor = body.amount.map_or(left, Money::minor);
    // A request that died after this transaction finds its refund here.
    if refunds::lock(&mut tx, refund_id).await?.is_none() {
        if amount_minor == 0 {
            return Err(OrderError::Conflict("There is nothing left to pay back.").into());
        }
        let new = NewRefund {
            id: refund_id,
            order_id: id,
            amount_minor,
            reason: body.reason.as_str(),
            created_by: user.id(),
        };
        refund_order::request(&mut tx, &new).await?;
        let (subject, detail) = (
            id.to_string(),
            json!({ "amount_minor": amount_minor, "reason": body.reason }),
        );
        audit::record(
            &mut tx,
            &Entry {
                actor: user.id(),
                action: Action::OrderRefund,
                subject: &subject,
                detail,
            },
        )
        .await?;
    }
    database::commit(tx).await?;
    refund_order::attempt(&state, refund_id).await?;
    // Told before, a worker would ask the provider for the same refund at the same moment.
    events::publish(&state, id).await;
    answer(&state, &scope, refund_id).await
}

fn check(body: &RefundBody, currency: shared::domain::money::Currency) -> Result<(), ApiError> {
    match body.amount {
        Some(amount) if amount.currency() != currency => Err(ApiError::invalid(
            "/amount/currency",
            format!("must be {currency}"),
        )),
        Some(amount) if amount.minor() <= 0 => {
            Err(ApiError::invalid("/amount/amount", "must be more than 0"))
        }
        _ => Ok(()),
    }
}

async fn answer(state: &AppState, scope: &Scope<'_>, refund_id: Uuid) -> Result<Answer, ApiError> {
    let mut tx = state.database.begin().await?;
    let refund = refunds::lock(&mut tx, refund_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let view = RefundView {
        id: refund.id,
        order_id: refund.order_id,
        amount: Money::new(refund.amount_minor, state.currency),
        reason: refund.reason,
        status: refund.state,
    };
    let answer = Answer::json(StatusCode::CREATED, &view)?;
    idempotency::finish(&mut tx, scope, answer.saved()).await?;
    database::commit(tx).await?;
    Ok(answer)
}
