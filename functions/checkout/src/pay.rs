//! `POST /orders/{id}/pay`: another way to pay for an order that waits for its payment.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::order::{Order, OrderError, OrderStatus};
use shared::domain::payment::PaymentEventKind;
use shared::events;
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{ApiError, Json, Path, Problem, User};
use shared::operations::place_order::Tender;
use shared::operations::record_payment::{Finding, Hears};
use shared::operations::settle_payment::record;
use shared::store::idempotency::{self, Scope};
use shared::store::orders::{self, Audience};
use shared::store::payments::{self, Attempt, AttemptState, Happened, NewAttempt, Settled};
use shared::store::{PgConnection, database};
use uuid::Uuid;

use crate::AppState;
use crate::body::{PaymentBody, refuse_card_numbers};
use crate::place::{Begun, begin_payment, charge_and_finish};

/// Another way to pay.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayBody {
    payment: PaymentBody,
}

/// Pays for an order in `payment_pending` in another way. The earlier attempt is
/// first cancelled at the provider.
#[utoipa::path(
    post, path = "/orders/{id}/pay", tag = "buying", security(("bearer" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = PayBody,
    responses(
        (status = 200, description = "Paid", body = Order),
        (status = 202, description = "The payment was begun; what it came to is found out later", body = Order),
        (status = 402, description = "Declined, or the customer must authenticate", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It does not wait for a payment, or the earlier one's outcome is not known", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_pay(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
    key: IdempotencyKey,
    Json(body): Json<PayBody>,
) -> Result<Answer, ApiError> {
    refuse_card_numbers(&body)?;
    body.payment.check()?;
    let fingerprint = fingerprint(&id.to_string(), &body)?;
    let scope = Scope {
        caller: user.id(),
        route: "POST /orders/{id}/pay",
        key: &key,
        fingerprint,
    };
    crate::orders::visible(&state, id, Audience::Customer(user.id())).await?;
    let tender = match look_up(&state, &scope, &body.payment).await? {
        Looked::Answered(answer) => return Ok(answer),
        Looked::Tender(tender) => tender,
    };
    cancel_earlier(&state, id).await?;
    match begin(&state, &scope, id, &tender).await? {
        Begun::Answered(answer) => Ok(answer),
        Begun::Charging(attempt, known) => {
            charge_and_finish(&state, &scope, &attempt, *known, StatusCode::OK).await
        }
    }
}

enum Looked {
    /// To an earlier request with this key.
    Answered(Answer),
    /// What is charged now.
    Tender(Tender),
}

/// Looks the key and the card up. Nothing is claimed yet, because the
/// transaction is not committed.
async fn look_up(
    state: &AppState,
    scope: &Scope<'_>,
    payment: &PaymentBody,
) -> Result<Looked, ApiError> {
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, scope).await?)? {
        return Ok(Looked::Answered(answer));
    }
    payment.allowed(state).await?;
    let tender = Tender::of(&mut tx, scope.caller, &payment.means()).await?;
    Ok(Looked::Tender(tender))
}

/// Makes sure that an attempt which waits for an authentication can charge no more.
async fn cancel_earlier(state: &AppState, order_id: Uuid) -> Result<(), ApiError> {
    let mut tx = state.database.begin().await?;
    let attempt = payments::lock_latest(&mut tx, order_id).await?;
    database::commit(tx).await?;
    let Some(attempt) = attempt.filter(|attempt| attempt.state == AttemptState::RequiresAction)
    else {
        return Ok(());
    };
    let payment_id = attempt.provider_payment_id.as_deref().unwrap_or_default();
    let finding = Finding::from(state.payments.cancel(payment_id).await?);
    if finding != Finding::Cancelled {
        return Ok(record(state, order_id, attempt.id, &finding, Hears::ByMail).await?);
    }
    let mut tx = state.database.begin().await?;
    orders::lock(&mut tx, order_id).await?;
    end_attempt(&mut tx, &attempt).await?;
    Ok(database::commit(tx).await?)
}

async fn end_attempt(tx: &mut PgConnection, attempt: &Attempt) -> Result<(), ApiError> {
    let settled = Settled {
        state: AttemptState::Cancelled,
        provider_payment_id: None,
        client_secret: None,
    };
    payments::settle(tx, attempt.id, &settled).await?;
    let happened = Happened {
        kind: PaymentEventKind::Cancelled,
        amount_minor: attempt.amount_minor,
        reference: attempt.id,
    };
    Ok(payments::record_event(tx, attempt.order_id, &happened).await?)
}

/// The first transaction: key, the next attempt.
async fn begin(
    state: &AppState,
    scope: &Scope<'_>,
    order_id: Uuid,
    tender: &Tender,
) -> Result<Begun, ApiError> {
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, scope).await?)? {
        return Ok(Begun::Answered(answer));
    }
    // The caller has seen it: one that is not there yet was accepted without the database.
    let order = orders::lock(&mut tx, order_id).await?;
    let waiting = order.filter(|order| order.status == OrderStatus::PaymentPending);
    let Some(order) = waiting else {
        return Err(OrderError::Conflict("The order does not wait for a payment.").into());
    };
    let earlier = payments::lock_latest(&mut tx, order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    match earlier.state {
        AttemptState::Cancelled => {}
        AttemptState::Pending => end_attempt(&mut tx, &earlier).await?,
        _ => {
            return Err(
                OrderError::Conflict("The earlier payment's outcome is not known yet.").into(),
            );
        }
    }
    orders::set_method(&mut tx, order_id, tender.kind()).await?;
    let attempt = NewAttempt {
        order_id,
        number: earlier.number + 1,
        method: tender.kind(),
        amount_minor: order.total_minor,
        currency: order.currency.trim(),
        provider_method_id: tender.provider_method_id(),
    };
    payments::start_attempt(&mut tx, &attempt).await?;
    let begun = begin_payment(&mut tx, scope, (order_id, None), StatusCode::OK).await?;
    database::commit(tx).await?;
    if matches!(begun, Begun::Answered(_)) {
        events::publish(state, order_id).await;
    }
    Ok(begun)
}
