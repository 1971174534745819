//! Another password: for whoever forgot theirs, and for whoever knows it.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{AccountError, Email, NewPassword, Password};
use shared::domain::events::Event;
use shared::domain::limits::Network;
use shared::domain::secrets::{Digest, Opaque};
use shared::events;
use shared::http::{ApiError, ClientNetwork, Json, Kind, Problem, User, too_many};
use shared::providers::passwords;
use shared::store::accounts::{self, Account};
use shared::store::mail_tokens::{self, Purpose};
use shared::store::{PgConnection, StoreError, outbox};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::mailed::{self, Wanted};
use crate::sign_out;

/// The address of an account whose password was forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgot {
    #[schema(example = "ada@example.com")]
    email: String,
}

/// A mail is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetSent {
    /// Always `reset_sent`, whether or not the address has an account.
    #[schema(example = "reset_sent")]
    status: &'static str,
}

/// A new password for whoever has the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// The token in the mail: good for an hour, once.
    #[schema(example = "3q2-7wMXuLeDkq0tWw5cVJmWb1nTtFh7yq2xH0Zr1kE")]
    token: String,
    /// 8 to 128 characters of any script, 15 or more advised; not one that is easy to guess.
    #[schema(
        example = "tr0mbone&Kelp",
        format = "password",
        min_length = 8,
        max_length = 128
    )]
    password: String,
}

/// A new password for whoever knows the present one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[schema(example = "tr0mbone&Kelp", format = "password")]
    current_password: String,
    /// 8 to 128 characters of any script, 15 or more advised; not one that is easy to guess.
    #[schema(
        example = "violet-anvil-harbour",
        format = "password",
        min_length = 8,
        max_length = 128
    )]
    new_password: String,
}

/// Sends a mail to choose another password with.
///
/// The answer is the same, and takes as long, for an address without an account.
/// One address gets a few mails an hour, however often they are asked for.
#[utoipa::path(
    post, path = "/auth/password/forgot", tag = "accounts", request_body = Forgot,
    responses(
        (status = 202, body = ResetSent),
        (status = 422, description = "It is not an address.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn forgot_password(
    State(state): State<AppState>,
    Json(body): Json<Forgot>,
) -> Result<(StatusCode, Json<ResetSent>), ApiError> {
    let email = Email::try_from(body.email)?;
    mailed::request(&state, Wanted::PasswordReset, &email).await?;
    let status = "reset_sent";
    Ok((StatusCode::ACCEPTED, Json(ResetSent { status })))
}

/// Chooses another password with the token that was mailed.
///
/// Every session ends, and the owner is told by mail. `X-Degraded: sessions`: the
/// session store is away, so access tokens are good until they expire. The address
/// counts as verified: its owner has the mail.
#[utoipa::path(
    post, path = "/auth/password/reset", tag = "accounts", request_body = Reset,
    responses(
        (status = 204, description = "The password is another."),
        (status = 422, description = "The token is unknown, used or too old, or the password will not do.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reset_password(
    State(state): State<AppState>,
    Json(body): Json<Reset>,
) -> Result<StatusCode, ApiError> {
    let token = Opaque::from_text(&body.token).ok_or(AccountError::MailToken)?;
    let token = token.digest();
    let email = owner_email(&state, &token).await?;
    let password = NewPassword::choose(body.password.into(), &email)?;
    let hash = passwords::hash(password).await?;
    let user_id = state
        .database
        .transact(async |tx| reset(tx, &token, &hash).await)
        .await?;
    finish(&state, user_id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose the token is. Read on its own: a password takes a while to hash, and no
/// transaction waits for that.
async fn owner_email(state: &AppState, token: &Digest) -> Result<Email, ApiError> {
    let purpose = Purpose::ResetPassword;
    let email = state
        .database
        .read_own(|pool| async move { mail_tokens::owner_email(&pool, purpose, token).await });
    let email = email.await?.ok_or(AccountError::MailToken)?;
    Ok(Email::stored(email))
}

async fn reset(tx: &mut PgConnection, token: &Digest, hash: &str) -> Result<Uuid, ApiError> {
    let user_id = mail_tokens::spend(tx, Purpose::ResetPassword, token).await?;
    let user_id = user_id.ok_or(AccountError::MailToken)?;
    accounts::verify_email(tx, user_id).await?;
    if !accounts::set_password(tx, user_id, hash, None).await? {
        return Err(AccountError::MailToken.into());
    }
    note_change(tx, user_id).await?;
    Ok(user_id)
}

/// Chooses another password.
///
/// Every session ends, this one too, and the owner is told by mail. `X-Degraded:
/// sessions`: the session store is away, so access tokens are good until they expire.
#[utoipa::path(
    post, path = "/auth/password/change", tag = "accounts", request_body = Change, security(("bearer" = [])),
    responses(
        (status = 204, description = "The password is another."),
        (status = 401, description = "No valid access token (`unauthorized`), or not the present password (`invalid-credentials`).", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was changed at the same moment.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The new password will not do.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change_password(
    State(state): State<AppState>,
    user: User,
    ClientNetwork(from): ClientNetwork,
    Json(body): Json<Change>,
) -> Result<StatusCode, ApiError> {
    let account = own(&state, user.id()).await?;
    let email = Email::stored(account.email.clone());
    let password = NewPassword::choose(body.new_password.into(), &email)
        .map_err(|error| ApiError::invalid("/new_password", error.to_string()))?;
    check(&state, &account, body.current_password.into(), from).await?;
    let hash = passwords::hash(password).await?;
    state
        .database
        .transact(async |tx| change(tx, &account, &hash).await)
        .await?;
    finish(&state, account.id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's account. A token may outlive it by minutes.
async fn own(state: &AppState, id: Uuid) -> Result<Account, ApiError> {
    let account = state
        .database
        .read_own(|pool| async move { accounts::by_id(&pool, id).await });
    let account = account.await?;
    account.ok_or_else(|| ApiError::new(Kind::Unauthorized))
}

/// Whether this is the account's password. Wrong ones count like failed sign-ins.
async fn check(
    state: &AppState,
    account: &Account,
    password: Password,
    from: Network,
) -> Result<(), ApiError> {
    let email = Email::stored(account.email.clone());
    let attempt = state.limits.begin_sign_in(&email, from).await;
    let attempt = attempt.map_err(too_many)?;
    let hash = Some(account.password_hash.clone());
    if passwords::matches(password, hash).await? {
        return Ok(());
    }
    state.limits.sign_in_failed(&attempt).await;
    Err(AccountError::Credentials.into())
}

async fn change(tx: &mut PgConnection, account: &Account, hash: &str) -> Result<(), ApiError> {
    let before = Some(account.password_hash.as_str());
    if !accounts::set_password(tx, account.id, hash, before).await? {
        return Err(ApiError::new(Kind::Conflict).detail("It was changed at the same moment."));
    }
    Ok(note_change(tx, account.id).await?)
}

/// What every change of a password brings with it.
async fn note_change(tx: &mut PgConnection, user_id: Uuid) -> Result<(), StoreError> {
    mail_tokens::spend_all(tx, user_id, Purpose::ResetPassword).await?;
    outbox::add(tx, user_id, &Event::PasswordChanged { user_id }).await?;
    Ok(())
}

async fn finish(state: &AppState, user_id: Uuid) {
    sign_out::everywhere(state, user_id).await;
    events::publish(state, user_id).await;
}
