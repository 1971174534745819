//! Orders: listing, showing and cancelling them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shared::domain::accounts::Role;
use shared::domain::order::Order;
use shared::http::{ApiError, Json, Kind, Page, PageQuery, Path, Problem, Query, User};
use shared::operations::cancel_order::cancel_order;
use shared::operations::finish_intent::cancel_intent;
use shared::store::orders::{self, Audience, Position};
use uuid::Uuid;

use crate::AppState;
use crate::accept::DATABASE;
use crate::waiting::{self, Found};

/// As what the caller looks at orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum As {
    /// Orders that hold something of the caller's, with those lines only.
    Seller,
}

/// The parameters of the list.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// `seller` for orders with the caller's own products.
    #[serde(rename = "as")]
    #[param(rename = "as", inline)]
    as_: Option<As>,
    /// From 1 to 100, 20 by default.
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists orders, the newest first: the caller's own, all for an admin.
#[utoipa::path(
    get, path = "/orders", tag = "buying", security(("bearer" = [])), params(ListQuery),
    responses((status = 200, description = "A page of orders", body = Page<Order>), (status = 401, body = Problem, content_type = "application/problem+json", description = "Not signed in"))
)]
pub(crate) async fn get_orders(
    State(state): State<AppState>,
    user: User,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let audience = match query.as_ {
        Some(As::Seller) => seller_audience(&user)?,
        None => own_audience(&user),
    };
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, after) = (page.limit()?, page.position::<Position>()?);
    let listed = waiting::merged(&state, audience, after, limit).await?;
    let page = Page::cut(listed.found, limit, Position::of)?;
    Ok((listed.degraded, Json(page)).into_response())
}

/// Shows an order.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "buying", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The order", body = Order), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn get_order(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let shown = visible(&state, id, own_audience(&user)).await?;
    Ok((shown.degraded, Json(shown.found)).into_response())
}

/// Calls an order off before it is sent: its stock is released, what was charged is paid back.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", tag = "buying", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 404, description = "None, or not yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is sent, or its payment's outcome is not known yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_cancel(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
) -> Result<Json<Order>, ApiError> {
    let audience = own_audience(&user);
    match waiting::intent(&state, id, audience).await {
        Ok(Some(intent)) => cancel_intent(&state, &intent).await?,
        Ok(None) => {}
        // An order that the database has needs nothing of the table, and of any other the next
        // look says that it is away.
        Err(error) => error.log(),
    }
    visible(&state, id, audience).await?;
    cancel_order(&state, id, user.id()).await?;
    Ok(Json(visible(&state, id, audience).await?.found))
}

/// Own orders, all for an admin.
pub(crate) fn own_audience(user: &User) -> Audience {
    if user.is_admin() {
        Audience::Admin
    } else {
        Audience::Customer(user.id())
    }
}

/// What a seller sees, all for an admin.
pub(crate) fn seller_audience(user: &User) -> Result<Audience, ApiError> {
    match user.0.role {
        Role::Admin => Ok(Audience::Admin),
        Role::Seller => Ok(Audience::Seller(user.id())),
        Role::Customer => Err(ApiError::new(Kind::Forbidden)),
    }
}

/// An order, read where it was written, or as it was accepted without the
/// database. Somebody else's is as absent as none.
pub(crate) async fn visible(
    state: &AppState,
    id: Uuid,
    audience: Audience,
) -> Result<Found<Order>, ApiError> {
    let order = state.database.read_own(|pool| async move {
        let mut connection = pool.acquire().await?;
        orders::load(&mut connection, id, audience).await
    });
    let order = order.await;
    if let Ok(Some(order)) = order {
        return Ok(Found::whole(order));
    }
    let intent = waiting::intent(state, id, audience).await;
    match (order, intent) {
        (Ok(_), Ok(Some(intent))) => Ok(Found::whole(intent.order())),
        (Ok(_), Ok(None)) => Err(ApiError::not_found()),
        (Ok(_), Err(error)) => Err(error),
        (Err(_), Ok(Some(intent))) => Ok(Found::without(DATABASE, intent.order())),
        (Err(error), _) => Err(error.into()),
    }
}
