//! Verifying that an address is its owner's.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{AccountError, Email};
use shared::domain::secrets::Opaque;
use shared::http::{ApiError, Json, Problem};
use shared::store::accounts;
use shared::store::mail_tokens::{self, Purpose};
use utoipa::ToSchema;

use crate::AppState;
use crate::mailed::{self, Wanted};
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
    let verified = state.database.transact(async |tx| {
        let user = mail_tokens::spend(tx, Purpose::VerifyEmail, &token.digest()).await?;
        accounts::verify_email(tx, user.ok_or(AccountError::MailToken)?).await?;
        Ok::<_, ApiError>(())
    });
    verified.await?;
    let status = "verified";
    Ok(Json(Verified { status }))
}

/// Sends the verification mail again.
///
/// The answer is the same, and takes as long, when there is nothing to send. One
/// address gets a few mails an hour, however often they are asked for.
#[utoipa::path(
    post, path = "/auth/verify-email/resend", tag = "accounts", request_body = Resend,
    responses(
        (status = 202, body = VerificationSent),
        (status = 422, description = "It is not an address.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resend_verification(
    State(state): State<AppState>,
    Json(body): Json<Resend>,
) -> Result<(StatusCode, Json<VerificationSent>), ApiError> {
    let email = Email::try_from(body.email)?;
    mailed::request(&state, Wanted::Verification, &email).await?;
    Ok(VerificationSent::answer())
}
