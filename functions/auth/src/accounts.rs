//! A signed-in user's own account.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{AccountError, Name, Role};
use shared::http::{ApiError, Json, Kind, Problem, User};
use shared::store::accounts::{self, Account};
use shared::store::mail_tokens::{self, Purpose};
use shared::store::totp::{self, Stage};
use shared::store::{PgConnection, erasure};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::sign_out;

/// An account, as its owner sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    id: Uuid,
    /// As it was typed.
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    name: String,
    role: Role,
    /// Whether the address was verified.
    email_verified: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
}

impl From<Account> for Profile {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            email: account.email,
            name: account.name,
            role: account.role,
            email_verified: account.email_verified_at.is_some(),
            created_at: account.created_at,
        }
    }
}

/// What a user may change of their account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeMe {
    /// How to address them.
    #[schema(example = "Ada King", min_length = 1, max_length = 100)]
    name: String,
}

/// Shows the caller's account.
#[utoipa::path(
    get, path = "/auth/me", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 200, body = Profile),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_me(
    State(state): State<AppState>,
    user: User,
) -> Result<Json<Profile>, ApiError> {
    let id = user.id();
    let account = state
        .database
        .read_own(|pool| async move { accounts::by_id(&pool, id).await })
        .await?;
    known(account)
}

/// Changes the caller's name.
#[utoipa::path(
    patch, path = "/auth/me", tag = "accounts", request_body = ChangeMe, security(("bearer" = [])),
    responses(
        (status = 200, body = Profile),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name will not do.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change_me(
    State(state): State<AppState>,
    user: User,
    Json(body): Json<ChangeMe>,
) -> Result<Json<Profile>, ApiError> {
    let name = Name::try_from(body.name)?;
    let account = state
        .database
        .write(async |tx| accounts::rename(tx, user.id(), &name).await);
    known(account.await?)
}

/// Closes the caller's account and erases what is known of its owner.
///
/// Orders, payments and the wallet's ledger stay, and are nobody's any more: what is
/// left in the wallet is lost. Orders that were placed are sent all the same; where
/// they go is erased once they came to an end. No mail is sent any more. The address
/// can register again.
#[utoipa::path(
    delete, path = "/auth/me", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 204, description = "Closed, now or before."),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last admin, or somebody with products that are not archived.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_me(
    State(state): State<AppState>,
    user: User,
) -> Result<StatusCode, ApiError> {
    state
        .database
        .transact(async |tx| close(tx, user.id()).await)
        .await?;
    sign_out::everywhere(&state, user.id()).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn close(tx: &mut PgConnection, id: Uuid) -> Result<(), ApiError> {
    if accounts::lock_admins(tx).await? == [id] {
        return Err(AccountError::LastAdmin.into());
    }
    if erasure::is_selling(tx, id).await? {
        return Err(AccountError::StillSelling.into());
    }
    if !erasure::close_account(tx, id).await? {
        return Ok(());
    }
    for purpose in [Purpose::VerifyEmail, Purpose::ResetPassword] {
        mail_tokens::spend_all(tx, id, purpose).await?;
    }
    for stage in [Stage::Pending, Stage::Confirmed] {
        totp::forget(tx, id, stage).await?;
    }
    erasure::forget_cards(tx, id).await?;
    erasure::erase_addresses(tx, id).await?;
    erasure::erase_answers(tx, id).await?;
    Ok(erasure::request(tx, id).await?)
}

/// A token may outlive its account by minutes.
fn known(account: Option<Account>) -> Result<Json<Profile>, ApiError> {
    let account = account.ok_or_else(|| ApiError::new(Kind::Unauthorized))?;
    Ok(Json(account.into()))
}
