//! Verifying that an address is its owner's.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{AccountError, Email};
use shared::domain::events::Event;
use shared::domain::secrets::Opaque;
use shared::events;
use shared::http::{ApiError, Json, Problem};
use shared::resilience::policies::ACCOUNT_LOOKUP_FLOOR;
use shared::store::{StoreError, accounts, database, outbox};
use utoipa::ToSchema;

use crate::AppState;
use crate::registration::VerificationSent;

/// The token out of a verification mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyEmail {
    /// Good for 24 hours, once.
    token: String,
}

/// The address is verified.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Always `verified`.
    #[schema(example = "verified")]
    status: &'static str,
}

/// An address to send a verification mail to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resend {
    #[schema(example = "ada@example.com")]
    email: String,
}

/// Verifies an address with the token that was mailed to it.
///
/// Access tokens say so from the next refresh on.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "accounts", request_body = VerifyEmail,
    responses(
        (status = 200, body = Verified),
        (status = 422, description = "The token is unknown, used or too old.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn verify_email(
    State(state): State<AppState>,
    Json(body): Json<VerifyEmail>,
) -> Result<Json<Verified>, ApiError> {
    let token = Opaque::from_text(&body.token).ok_or(AccountError::MailToken)?;
    let mut tx = state.database.begin().await?;
    database::within(async {
        let user = accounts::use_verification(&mut tx, &token.digest()).await?;
        accounts::verify_email(&mut tx, user.ok_or(AccountError::MailToken)?).await?;
        Ok::<_, ApiError>(())
    })
    .await?;
    database::commit(tx).await?;
    let status = "verified";
    Ok(Json(Verified { status }))
}

/// Sends the verification mail again.
///
/// The answer is the same, and takes as long, when there is nothing to send.
#[utoipa::path(
    post, path = "/auth/verify-email/resend", tag = "accounts", request_body = Resend,
    responses(
        (status = 202, body = VerificationSent),
        (status = 422, description = "It is not an address.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resend_verification(
    State(state): State<AppState>,
    Json(body): Json<Resend>,
) -> Result<(StatusCode, Json<VerificationSent>), ApiError> {
    let email = Email::try_from(body.email)?;
    let soonest = tokio::time::sleep(ACCOUNT_LOOKUP_FLOOR);
    let requested = request_verification(&state, &email).await;
    soonest.await;
    requested?;
    Ok(VerificationSent::answer())
}

async fn request_verification(state: &AppState, email: &Email) -> Result<(), StoreError> {
    let mut tx = state.database.begin().await?;
    let requested = database::within(async {
        let Some(user_id) = accounts::unverified_owner_of(&mut tx, email).await? else {
            return Ok(None);
        };
        outbox::add(&mut tx, user_id, &Event::VerificationRequested { user_id }).await?;
        Ok::<_, StoreError>(Some(user_id))
    });
    if let Some(user_id) = requested.await? {
        database::commit(tx).await?;
        events::publish(state, user_id).await;
    }
    Ok(())
}
