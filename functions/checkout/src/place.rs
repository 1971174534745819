//! `POST /checkout`: two transactions around one charge.

use axum::extract::State;
use http::StatusCode;
use shared::domain::cart::Lines;
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::ids;
use shared::domain::intent::CartVersion;
use shared::domain::order::{Order, OrderStatus};
use shared::domain::payment::PaymentStatus;
use shared::events;
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{ApiError, Json, Kind, Problem, User, in_time};
use shared::operations::OperationError;
use shared::operations::finish_intent::ROUTE;
use shared::operations::place_order::{Request, Terms, place_order};
use shared::operations::record_payment::{Finding, Hears, record_payment};
use shared::operations::settle_payment::{self, charge, find_out};
use shared::store::PgConnection;
use shared::store::database::{self, Tx};
use shared::store::idempotency::{self, Scope};
use shared::store::orders::{self, Audience, Locked};
use shared::store::payments::{self, Attempt, AttemptState};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::AppState;
use crate::accept;
use crate::body::PlaceOrder;

/// Places an order. A repeated `Idempotency-Key` gets the first answer again.
#[utoipa::path(
    post, path = "/checkout", tag = "buying", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = PlaceOrder,
    responses(
        (status = 201, description = "Placed and paid", body = Order),
        (status = 202, description = "Accepted and safely stored; finished later", body = Order),
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
    body.check(state.currency)?;
    let scope = Scope {
        caller: user.id(),
        route: ROUTE,
        key: &key,
        fingerprint: fingerprint("", &body)?,
    };
    let order_id = ids::order_id(user.id(), &key);
    let (cart, accepted) = tokio::join!(
        Cart::read(&state, &user, &body),
        state.intents.glance(user.id(), order_id)
    );
    if let Some(answer) = accept::accepted_before(accepted, &scope)? {
        return Ok(answer);
    }
    let answer = place(&state, &scope, &body, cart).await?;
    accept::tell_recovery(&state, &answer).await;
    Ok(answer)
}

/// How far the first transaction came.
pub(crate) enum Begun {
    /// There is an answer already.
    Answered(Answer),
    /// The attempt is leased to us, to be charged now; and the order as it is so far.
    Charging(Attempt, Box<Order>),
}

async fn place(
    state: &AppState,
    scope: &Scope<'_>,
    body: &PlaceOrder,
    cart: Result<Cart, ApiError>,
) -> Result<Answer, ApiError> {
    let begun = match begin(state, scope, body, cart.as_ref().ok()).await {
        Ok(Some(begun)) => begun,
        Ok(None) => return Err(cart.err().unwrap_or_else(ApiError::not_found)),
        // Of what the first transaction needs, only the database can be away.
        Err(error) if error.kind() == Kind::Unavailable => {
            return match cart {
                // It is removed once it is ordered: whether it was, only the database knows.
                Err(absent) if absent.kind() == Kind::NotFound => Err(error),
                cart => accept::accept(state, scope, body, &cart?).await,
            };
        }
        Err(error) => return Err(error),
    };
    let answer = match begun {
        Begun::Answered(answer) => answer,
        Begun::Charging(attempt, known) => {
            charge_and_finish(state, scope, &attempt, *known, StatusCode::CREATED).await?
        }
    };
    let source = cart.ok().and_then(|cart| cart.source);
    if let (Some(source), 200..300) = (source, answer.saved().status) {
        clear_cart(state, source).await;
    }
    Ok(answer)
}

/// Where the lines come from.
pub(crate) struct Cart {
    pub(crate) lines: Lines,
    /// The cart, to be removed once it is ordered.
    pub(crate) source: Option<CartVersion>,
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
            source: Some(CartVersion {
                id: cart.id,
                version: cart.version,
            }),
        })
    }
}

/// Removes an ordered cart, unless it was changed meanwhile. Only tidiness.
async fn clear_cart(state: &AppState, cart: CartVersion) {
    if let Err(error) = state.carts.delete_cart(cart.id, Some(cart.version)).await {
        tracing::warn!(error = %error, "an ordered cart is left");
    }
}

/// The first transaction: key, order, stock, payment attempt. The cart is needed
/// only when the key is new, so that a repeat goes without; `None` when it is not there.
async fn begin(
    state: &AppState,
    scope: &Scope<'_>,
    body: &PlaceOrder,
    cart: Option<&Cart>,
) -> Result<Option<Begun>, ApiError> {
    let tx = state.database.begin().await?;
    let begun = database::within(begin_order(tx, state, scope, (body, cart))).await?;
    if matches!(begun, Some(Begun::Answered(_))) {
        let order_id = ids::order_id(scope.caller, scope.key);
        events::publish(state, order_id).await;
    }
    Ok(begun)
}

async fn begin_order(
    mut tx: Tx,
    state: &AppState,
    scope: &Scope<'_>,
    (body, cart): (&PlaceOrder, Option<&Cart>),
) -> Result<Option<Begun>, ApiError> {
    let order_id = ids::order_id(scope.caller, scope.key);
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, scope).await?)? {
        return Ok(Some(Begun::Answered(answer)));
    }
    let mut placed = None;
    if orders::lock(&mut tx, order_id).await?.is_some() {
        refuse_while_charging(&mut tx, order_id).await?;
    } else {
        let Some(cart) = cart else { return Ok(None) };
        body.payment.allowed(state).await?;
        let request = Request {
            order_id,
            customer_id: scope.caller,
            key: scope.key,
            terms: Terms::Now {
                lines: &cart.lines,
                expected_total: body.expected_total,
            },
            address: &body.shipping_address,
            means: &body.payment.means(),
            currency: state.currency,
        };
        placed = place_order(&mut tx, &request).await?;
    }
    let order = (order_id, placed);
    let begun = begin_payment(&mut tx, scope, order, StatusCode::CREATED).await?;
    database::commit(tx).await?;
    Ok(Some(begun))
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
/// `known` is the order, if it was placed just now.
pub(crate) async fn begin_payment(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    (order_id, known): (Uuid, Option<Order>),
    success: StatusCode,
) -> Result<Begun, ApiError> {
    let order = orders::lock(tx, order_id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let Some(attempt) = payments::lock_latest(tx, order_id).await? else {
        return Err(never_placed(&order));
    };
    if attempt.state == AttemptState::Started {
        let begun = settle_payment::begin_payment(tx, &order, attempt, Hears::InAnswer).await?;
        if let Some(attempt) = begun {
            let known = match known {
                Some(known) => known,
                None => own(tx, scope, order_id).await?,
            };
            return Ok(Begun::Charging(attempt, Box::new(known)));
        }
    }
    Ok(Begun::Answered(answer(tx, scope, order_id, success).await?))
}

/// An order that was accepted without the database, and then could not be placed.
fn never_placed(order: &Locked) -> ApiError {
    let detail = match order.status {
        OrderStatus::Rejected => "The order was accepted, but could not be filled.",
        _ => "The order was called off before it was placed.",
    };
    ApiError::new(Kind::Conflict)
        .detail(detail)
        .member("order_id", order.id.to_string())
}

/// Charges and records what came of it. When the database goes away in between,
/// the answer tells what is known; the sweeper finds out the rest by the attempt's key.
pub(crate) async fn charge_and_finish(
    state: &AppState,
    scope: &Scope<'_>,
    attempt: &Attempt,
    known: Order,
    success: StatusCode,
) -> Result<Answer, ApiError> {
    let unknown = Finding::Unknown { payment_id: None };
    let finding = in_time(charge_leased(state, attempt)).await;
    let finding = finding.unwrap_or(unknown);
    let finished = in_time(finish(state, scope, attempt, &finding, success)).await;
    match finished {
        Some(Err(error)) if error.kind() == Kind::Unavailable => {
            tracing::error!(order.id = %known.id, "what the charge came to is not recorded");
            unrecorded(known, &finding)
        }
        Some(finished) => finished,
        None => unrecorded(known, &finding),
    }
}

/// The order as it was before the charge: not known to be paid, and never lost.
fn unrecorded(mut order: Order, finding: &Finding) -> Result<Answer, ApiError> {
    if matches!(finding, Finding::Unknown { .. }) {
        order.status = OrderStatus::PaymentUnknown;
        order.payment.status = PaymentStatus::Unknown;
    }
    Ok(Answer::json(StatusCode::ACCEPTED, &order)?.degraded(accept::DATABASE))
}

/// Charges. When an earlier request may have charged under the same key, what
/// that came to is found out instead.
async fn charge_leased(state: &AppState, attempt: &Attempt) -> Finding {
    match attempt.leased {
        true => charge(state, attempt).await,
        false => find_out(state, attempt).await,
    }
}

/// The second transaction: the result and the answer to repeat.
async fn finish(
    state: &AppState,
    scope: &Scope<'_>,
    attempt: &Attempt,
    finding: &Finding,
    success: StatusCode,
) -> Result<Answer, ApiError> {
    let answer = database::within(record(state, scope, attempt, finding, success)).await?;
    events::publish(state, attempt.order_id).await;
    Ok(answer)
}

async fn record(
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
    let answer = answer(&mut tx, scope, attempt.order_id, success).await?;
    database::commit(tx).await?;
    Ok(answer)
}

async fn own(tx: &mut PgConnection, scope: &Scope<'_>, order_id: Uuid) -> Result<Order, ApiError> {
    let order = orders::load(tx, order_id, Audience::Customer(scope.caller)).await?;
    order.ok_or_else(ApiError::not_found)
}

/// Makes the answer from what is stored now, and stores it to be given again.
async fn answer(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    order_id: Uuid,
    success: StatusCode,
) -> Result<Answer, ApiError> {
    let order = own(tx, scope, order_id).await?;
    let attempt = payments::lock_latest(tx, order_id)
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
