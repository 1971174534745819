//! The provider's webhooks: stored before they are acknowledged, applied by the worker.

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use shared::domain::events::Event;
use shared::domain::ids;
use shared::events;
use shared::http::{ApiError, Json, Kind, Problem};
use shared::providers::payments::InvalidWebhook;
use shared::store::{database, outbox, webhooks};
use uuid::Uuid;

use crate::AppState;

/// The largest webhook that is taken, in bytes.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// Webhooks may be larger than what callers send.
pub(crate) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_LIMIT_BYTES)
}

/// Said to the provider, so that it does not send again.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Received {
    received: bool,
}

/// Takes a webhook of the payment provider.
#[utoipa::path(
    post, path = "/webhooks/stripe", tag = "webhooks",
    params(("Stripe-Signature" = String, Header, description = "t=<seconds>,v1=<hex>")),
    request_body(content = Object, description = "An event, as the provider sends it"),
    responses(
        (status = 200, description = "Stored", body = Received),
        (status = 400, description = "The signature is wrong or old", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 1 MiB", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_stripe(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Received>, ApiError> {
    let body = body.map_err(too_large)?;
    let signature = headers
        .get("stripe-signature")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let event = state
        .payments
        .webhook(signature, &body)
        .await
        .map_err(invalid)?;
    // Webhooks of one payment are one aggregate, so that they are applied in order.
    let aggregate = ids::derived(
        "webhook",
        Uuid::nil(),
        event.payment_id().unwrap_or(&event.id),
    );
    let mut tx = state.database.begin().await?;
    if webhooks::insert(&mut tx, &event.id, &event.type_, &event.stored()).await? {
        let event = Event::WebhookReceived {
            provider_event_id: event.id,
        };
        outbox::add(&mut tx, aggregate, &event).await?;
    }
    database::commit(tx).await?;
    events::publish(&state, aggregate).await;
    Ok(Json(Received { received: true }))
}

fn too_large(rejection: BytesRejection) -> ApiError {
    let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
    ApiError::new(if too_large {
        Kind::TooLarge
    } else {
        Kind::Unreadable
    })
}

fn invalid(error: InvalidWebhook) -> ApiError {
    match error {
        InvalidWebhook::Signature => {
            ApiError::new(Kind::Unreadable).detail("The signature is not valid.")
        }
        InvalidWebhook::Body => ApiError::new(Kind::Unreadable).detail("The body is no event."),
        InvalidWebhook::KeysUnavailable(error) => error.into(),
    }
}
