//! `POST /checkout`: two transactions around one charge.

use axum::extract::State;
use http::StatusCode;
use shared::domain::cart::Lines;
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::ids;
use shared::domain::order::{Order, OrderStatus, PaymentMethodKind};
use shared::events;
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{ApiError, Json, Kind, Problem, User};
use shared::operations::OperationError;
use shared::operations::place_order::{Request, Tender, place_order};
use shared::operations::record_payment::{Finding, Hears, record_payment};
use shared::operations::settle_payment::{charge, charge_wallet, find_out};
use shared::state::AppState;
use shared::store::idempotency::{self, Scope};
use shared::store::orders::{self, Audience};
use shared::store::payments::{self, Attempt, AttemptState};
use shared::store::{PgConnection, database};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::body::PlaceOrder;

/// Places an order. A repeated `Idempotency-Key` gets the first answer again.
#[utoipa::path(
    post, path = "/checkout", tag = "buying", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = PlaceOrder,
    responses(
        (status = 201, description = "Placed and paid", body = Order),
        (status = 202, description = "Accepted and safely stored; the payment is finished later", body = Order),
        (status = 402, description = "Declined, or the customer must authenticate", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Too little stock, another total, or the first request still runs", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid, or the key was used for another body", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored anywhere", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_checkout(
    State(state): State<AppState>,
    user: User,
    key: IdempotencyKey,
    Json(body): Json<PlaceOrder>,
) -> Result<Answer, ApiError> {
    body.check(state.config.shop.currency)?;
    let scope = Scope {
        caller: user.id(),
        route: "POST /checkout",
        key: &key,
        fingerprint: fingerprint("", &body)?,
    };
    let tender = body.payment.tender(&state, user.id()).await;
    let cart = Cart::read(&state, &user, &body).await;
    let source = cart.as_ref().ok().and_then(|cart| cart.source);
    let lines = cart.map(|cart| cart.lines);
    let answer = match begin(&state, &scope, &body, tender, lines).await? {
        Begun::Answered(answer) => answer,
        Begun::Charging(attempt) => {
            let finding = charge_leased(&state, &attempt).await;
            finish(&state, &scope, &attempt, &finding, StatusCode::CREATED).await?
        }
    };
    if let (Some((id, version)), 200..300) = (source, answer.saved().status) {
        clear_cart(&state, id, version).await;
    }
    Ok(answer)
}

/// How far the first transaction came.
pub(crate) enum Begun {
    /// There is an answer already.
    Answered(Answer),
    /// The attempt is leased to us, to be charged now.
    Charging(Attempt),
}

/// Where the lines come from.
struct Cart {
    lines: Lines,
    /// The cart and its version, to be removed once it is ordered.
    source: Option<(Uuid, i64)>,
}

impl Cart {
    async fn read(state: &AppState, user: &User, body: &PlaceOrder) -> Result<Self, ApiError> {
        let Some(cart_id) = body.cart_id else {
            return Ok(Self {
                lines: body.own_lines()?,
                source: None,
            });
        };
        let cart = crate::carts::visible(state, Some(user), cart_id).await?;
        let lines = cart
            .lines
            .iter()
            .map(|line| (line.sku.clone(), line.quantity));
        let lines = Lines::summed(lines)
            .map_err(|error| ApiError::invalid("/cart_id", error.to_string()))?;
        Ok(Self {
            lines,
            source: Some((cart.id, cart.version)),
        })
    }
}

/// Removes an ordered cart, unless it was changed meanwhile. Only tidiness.
async fn clear_cart(state: &AppState, id: Uuid, version: i64) {
    if let Err(error) = state.tables.delete_cart(id, Some(version)).await {
        tracing::warn!(error = %error, "an ordered cart is left");
    }
}

/// The first transaction: key, order, stock, payment attempt. The cart and the
/// card are looked at only when the key is new, so that a repeat needs neither.
async fn begin(
    state: &AppState,
    scope: &Scope<'_>,
    body: &PlaceOrder,
    tender: Result<Tender, ApiError>,
    lines: Result<Lines, ApiError>,
) -> Result<Begun, ApiError> {
    let order_id = ids::order_id(scope.caller, scope.key);
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, scope).await?)? {
        return Ok(Begun::Answered(answer));
    }
    if orders::lock(&mut tx, order_id).await?.is_some() {
        refuse_while_charging(&mut tx, order_id).await?;
    } else {
        let (tender, lines) = (tender?, lines?);
        let request = Request {
            order_id,
            customer_id: scope.caller,
            key: scope.key,
            lines: &lines,
            address: &body.shipping_address,
            tender: &tender,
            expected_total: body.expected_total,
            currency: state.config.shop.currency,
        };
        place_order(&mut tx, &request).await?;
    }
    let begun = begin_payment(&mut tx, scope, order_id, StatusCode::CREATED).await?;
    database::commit(tx).await?;
    if matches!(begun, Begun::Answered(_)) {
        events::publish(state, order_id).await;
    }
    Ok(begun)
}

/// The worker may have taken over from a request that died.
async fn refuse_while_charging(tx: &mut PgConnection, order_id: Uuid) -> Result<(), ApiError> {
    match payments::lock_latest(tx, order_id).await? {
        Some(attempt) if attempt.leased => Err(ApiError::new(Kind::InProgress)),
        _ => Ok(()),
    }
}

/// Looks at the order's latest attempt: pays from the wallet at once, leaves a
/// card to be charged outside of the transaction, or answers what it came to.
pub(crate) async fn begin_payment(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    order_id: Uuid,
    success: StatusCode,
) -> Result<Begun, ApiError> {
    let order = orders::lock(tx, order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let attempt = payments::lock_latest(tx, order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if attempt.state != AttemptState::Started {
        return Ok(Begun::Answered(answer(tx, scope, &attempt, success).await?));
    }
    if attempt.method == PaymentMethodKind::Card && attempt.amount_minor > 0 {
        // Ours, whether it was begun now or by a request that died: its lease is renewed.
        payments::lease(tx, attempt.id).await?;
        return Ok(Begun::Charging(attempt));
    }
    let finding = match attempt.method {
        PaymentMethodKind::Wallet => charge_wallet(tx, &order, &attempt).await?,
        PaymentMethodKind::Card => Finding::Captured {
            payment_id: None,
            last4: None,
        },
    };
    record_payment(tx, &order, &attempt, &finding, Hears::InAnswer).await?;
    Ok(Begun::Answered(answer(tx, scope, &attempt, success).await?))
}

/// Charges. When an earlier request may have charged under the same key, what
/// that came to is found out instead.
pub(crate) async fn charge_leased(state: &AppState, attempt: &Attempt) -> Finding {
    match attempt.leased {
        true => charge(state, attempt).await,
        false => find_out(state, attempt).await,
    }
}

/// The second transaction: the result and the answer to repeat.
pub(crate) async fn finish(
    state: &AppState,
    scope: &Scope<'_>,
    attempt: &Attempt,
    finding: &Finding,
    success: StatusCode,
) -> Result<Answer, ApiError> {
    let mut tx = state.database.begin().await?;
    let order = orders::lock(&mut tx, attempt.order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let present = payments::lock_latest(&mut tx, attempt.order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if present.id == attempt.id {
        record_payment(&mut tx, &order, &present, finding, Hears::InAnswer).await?;
    }
    let answer = answer(&mut tx, scope, attempt, success).await?;
    database::commit(tx).await?;
    events::publish(state, attempt.order_id).await;
    Ok(answer)
}

/// Makes the answer from what is stored now, and stores it to be given again.
async fn answer(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    attempt: &Attempt,
    success: StatusCode,
) -> Result<Answer, ApiError> {
    let order = orders::load(tx, attempt.order_id, Audience::Customer(scope.caller)).await?;
    let order = order.ok_or_else(ApiError::not_found)?;
    let attempt = payments::lock_latest(tx, attempt.order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let reserved_until = orders::lock(tx, order.id)
        .await?
        .and_then(|order| order.reserved_until);
    let answer = match (order.status, attempt.state) {
        (OrderStatus::PaymentFailed, _) => Answer::problem(
            &ApiError::new(Kind::PaymentDeclined).member("order_id", order.id.to_string()),
        ),
        (OrderStatus::PaymentPending, AttemptState::RequiresAction) => {
            let expires_at = reserved_until.and_then(|until| until.format(&Rfc3339).ok());
            let problem = ApiError::new(Kind::AuthenticationRequired)
                .member("order_id", order.id.to_string())
                .member("client_secret", attempt.client_secret)
                .member("expires_at", expires_at);
            Answer::problem(&problem)
        }
        (OrderStatus::PaymentPending | OrderStatus::PaymentUnknown | OrderStatus::Received, _) => {
            Answer::json(StatusCode::ACCEPTED, &order)?.degraded("payments")
        }
        _ => Answer::json(success, &order)?,
    };
    idempotency::finish(tx, scope, answer.saved())
        .await
        .map_err(OperationError::from)?;
    Ok(answer)
}
