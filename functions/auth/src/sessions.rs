//! Signing in, staying signed in, signing out.

use axum::extract::State;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{Email, Password};
use shared::domain::sessions::{Family, RefreshToken};
use shared::http::{ApiError, ClientNetwork, Json, Page, PageQuery, Path, Problem, Query, User};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::sign_in::{self, Refreshed, SignedIn};
use crate::sign_out;

/// Credentials.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "tr0mbone&Kelp", format = "password")]
    password: String,
}

/// A refresh token, as it was given out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenToken {
    refresh_token: String,
}

/// A session that is alive.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    id: Uuid,
    /// When somebody signed in.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// When it was last refreshed.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    last_used_at: OffsetDateTime,
    /// When it ends, however often it is refreshed.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
}

impl From<Family> for SessionView {
    fn from(family: Family) -> Self {
        Self {
            id: family.family_id,
            created_at: family.created_at,
            last_used_at: family.used_at,
            expires_at: family.expires_at,
        }
    }
}

/// Signs in.
///
/// With the session store away the answer has no refresh token and says
/// `X-Degraded: sessions`.
#[utoipa::path(
    post, path = "/auth/login", tag = "accounts", request_body = Login,
    responses(
        (status = 200, body = SignedIn),
        (status = 401, description = "The address and the password do not match an account.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many sign-ins from here, or too many failed ones to this account.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn login(
    State(state): State<AppState>,
    ClientNetwork(from): ClientNetwork,
    Json(body): Json<Login>,
) -> Result<(HeaderMap, Json<SignedIn>), ApiError> {
    let email = Email::try_from(body.email)?;
    let password = Password::from(body.password);
    let signed_in = sign_in::sign_in(&state, &email, password, from).await?;
    let missing = signed_in.refresh_token.is_none().then_some("sessions");
    Ok((degraded(missing), Json(signed_in)))
}

/// Spends a refresh token for a new pair.
///
/// A token that was spent less than 30 seconds ago gets the same successor
/// again; one that was spent before ends its session.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "accounts", request_body = GivenToken,
    responses(
        (status = 200, body = Refreshed),
        (status = 401, description = "The token is not good, or not any more.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The session store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn refresh(
    State(state): State<AppState>,
    Json(body): Json<GivenToken>,
) -> Result<(HeaderMap, Json<Refreshed>), ApiError> {
    let presented = RefreshToken::try_from(body.refresh_token.as_str())?;
    let (refreshed, missing) = sign_in::refresh(&state, &presented).await?;
    Ok((degraded(missing), Json(refreshed)))
}

/// Ends the session of a refresh token.
#[utoipa::path(
    post, path = "/auth/logout", tag = "accounts", request_body = GivenToken, security(("bearer" = [])),
    responses(
        (status = 204, description = "The session has ended, now or before."),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not a refresh token of the caller's.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn logout(
    State(state): State<AppState>,
    user: User,
    Json(body): Json<GivenToken>,
) -> Result<StatusCode, ApiError> {
    let token = RefreshToken::try_from(body.refresh_token.as_str());
    let token = token
        .ok()
        .filter(|token| token.user_id == user.id())
        .ok_or_else(|| ApiError::invalid("/refresh_token", "is not a refresh token of yours"))?;
    state.sessions.end(user.id(), token.family_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session of the caller.
///
/// Access tokens that were issued before are refused within a minute. `X-Degraded:
/// sessions`: the session store is away, so they are good until they expire.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 204, description = "Every session has ended."),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Both the database and the session store are away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn logout_all(
    State(state): State<AppState>,
    user: User,
) -> Result<StatusCode, ApiError> {
    sign_out::on_request(&state, user.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the caller's live sessions, the newest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "accounts", params(PageQuery), security(("bearer" = [])),
    responses(
        (status = 200, body = Page<SessionView>),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The session store is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_sessions(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SessionView>>, ApiError> {
    let (limit, before) = (page.limit()?, page.position()?);
    let families = state.sessions.list(user.id(), before, limit + 1).await?;
    let families = Page::cut(families, limit, |family| family.family_id)?;
    Ok(Json(families.map(SessionView::from)))
}

/// Ends one of the caller's sessions.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "accounts", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The session.")),
    responses(
        (status = 204, description = "The session has ended."),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The caller has no such session.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn end_session(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    if state.sessions.end(user.id(), id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}

fn degraded(missing: Option<&'static str>) -> HeaderMap {
    let value = missing.map(HeaderValue::from_static);
    value
        .map(|value| (http::HeaderName::from_static("x-degraded"), value))
        .into_iter()
        .collect()
}
