//! Saved cards, by the provider's token only.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::ids;
use shared::http::{ApiError, Json, Kind, Page, PageQuery, Path, Problem, Query, User};
use shared::providers::payments::PaymentError;
use shared::store::database;
use shared::store::payment_methods::{self, PaymentMethod};
use uuid::Uuid;

use crate::AppState;
use crate::body::{check_token, refuse_card_numbers};

/// A card to be saved.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMethodBody {
    /// The provider's PaymentMethod. A card number is refused.
    #[schema(example = "pm_card_visa")]
    token: String,
}

/// A saved card.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct MethodView {
    id: Uuid,
    #[schema(example = "visa")]
    brand: String,
    #[schema(example = "4242")]
    last4: String,
    exp_month: i16,
    exp_year: i16,
}

impl From<PaymentMethod> for MethodView {
    fn from(method: PaymentMethod) -> Self {
        let PaymentMethod {
            id,
            brand,
            last4,
            exp_month,
            exp_year,
            ..
        } = method;
        Self {
            id,
            brand,
            last4,
            exp_month,
            exp_year,
        }
    }
}

/// Lists the caller's cards, the newest first.
#[utoipa::path(
    get, path = "/payment-methods", tag = "buying", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of cards", body = Page<MethodView>), (status = 401, body = Problem, content_type = "application/problem+json", description = "Not signed in"))
)]
pub(crate) async fn get_payment_methods(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<MethodView>>, ApiError> {
    let (limit, before, user_id) = (page.limit()?, page.position::<Uuid>()?, user.id());
    let list = state
        .database
        .read_own(|pool| async move { payment_methods::list(&pool, user_id, before, limit).await });
    Ok(Json(
        Page::cut(list.await?, limit, |method| method.id)?.map(MethodView::from),
    ))
}

/// Saves a card. The same one again is the one that is there.
#[utoipa::path(
    post, path = "/payment-methods", tag = "buying", security(("bearer" = [])), request_body = NewMethodBody,
    responses(
        (status = 201, description = "Saved", body = MethodView),
        (status = 402, description = "The provider refused the card", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a token of the provider's", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The provider is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_payment_method(
    State(state): State<AppState>,
    user: User,
    Json(body): Json<NewMethodBody>,
) -> Result<(StatusCode, Json<MethodView>), ApiError> {
    refuse_card_numbers(&body)?;
    check_token("/token", &body.token)?;
    let customer = provider_customer(&state, user.id()).await?;
    let card = state
        .payments
        .attach(&body.token, &customer)
        .await
        .map_err(refusal)?;
    let method = PaymentMethod {
        id: ids::new_id(),
        provider_method_id: card.id,
        brand: card.brand,
        last4: card.last4,
        exp_month: card.exp_month,
        exp_year: card.exp_year,
        created_at: shared::clock::now(),
    };
    let mut tx = state.database.begin().await?;
    let method = payment_methods::insert(&mut tx, user.id(), &method).await?;
    database::commit(tx).await?;
    Ok((StatusCode::CREATED, Json(method.into())))
}

fn refusal(error: PaymentError) -> ApiError {
    match error {
        PaymentError::Refused(refusal) if refusal.card => ApiError::new(Kind::PaymentDeclined),
        PaymentError::Refused(_) => ApiError::invalid("/token", "is not known to the provider"),
        error => error.into(),
    }
}

/// The caller's customer at the provider, made when there is none. Its key at
/// the provider is made from the account, so two requests make one customer.
async fn provider_customer(state: &AppState, user_id: Uuid) -> Result<String, ApiError> {
    let known = state
        .database
        .read_own(|pool| async move { payment_methods::provider_customer(&pool, user_id).await });
    let known = known.await?;
    if let Some(customer) = known.provider_customer_id {
        return Ok(customer);
    }
    let customer = state
        .payments
        .create_customer(user_id, &known.email)
        .await?;
    let mut tx = state.database.begin().await?;
    payment_methods::set_provider_customer(&mut tx, user_id, &customer).await?;
    database::commit(tx).await?;
    Ok(customer)
}

/// Forgets a card.
#[utoipa::path(
    delete, path = "/payment-methods/{id}", tag = "buying", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 204, description = "Forgotten"), (status = 404, body = Problem, content_type = "application/problem+json", description = "None, or not yours"))
)]
pub(crate) async fn delete_payment_method(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    let mut tx = state.database.begin().await?;
    let method = payment_methods::find(&mut *tx, user.id(), id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    payment_methods::delete(&mut tx, user.id(), id).await?;
    database::commit(tx).await?;
    // Forgotten here already; the provider's copy can charge nobody without us.
    if let Err(error) = state.payments.detach(&method.provider_method_id).await {
        tracing::warn!(error = %error, "a forgotten card is left at the provider");
    }
    Ok(StatusCode::NO_CONTENT)
}
