//! What an account may do, as an admin decides.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use shared::domain::accounts::{AccountError, Role};
use shared::domain::audit::Action;
use shared::http::{Admin, ApiError, Json, Path, Problem, SteppedUp, User};
use shared::store::audit::{self, Entry};
use shared::store::{PgConnection, accounts};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::sign_out;

/// What an account may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRole {
    role: Role,
}

/// Lets an account do something else.
///
/// Its sessions end, so that the new role holds within a minute. It is recorded in
/// the audit log. There is always an admin. `X-Degraded: sessions`: the session
/// store is away, so the account's access tokens are good until they expire.
#[utoipa::path(
    put, path = "/admin/users/{id}/role", tag = "accounts", request_body = SetRole, security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The account.")),
    responses(
        (status = 204, description = "It may do this now."),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`).", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is the last admin.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such role.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put_role(
    State(state): State<AppState>,
    SteppedUp(Admin(admin)): SteppedUp,
    Path(id): Path<Uuid>,
    Json(body): Json<SetRole>,
) -> Result<StatusCode, ApiError> {
    let is_changed = state
        .database
        .transact(async |tx| set(tx, &admin, id, body.role).await)
        .await?;
    if is_changed {
        sign_out::everywhere(&state, id).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// False when that is its role already.
async fn set(tx: &mut PgConnection, admin: &User, id: Uuid, role: Role) -> Result<bool, ApiError> {
    let admins = accounts::lock_admins(tx).await?;
    let before = accounts::lock_role(tx, id).await?;
    let before = before.ok_or_else(ApiError::not_found)?;
    if before == role {
        return Ok(false);
    }
    if admins == [id] {
        return Err(AccountError::LastAdmin.into());
    }
    accounts::set_role(tx, id, role).await?;
    let entry = Entry {
        actor: admin.id(),
        action: Action::UserRole,
        subject: &id.to_string(),
        detail: json!({"from": before, "to": role}),
    };
    audit::record(tx, &entry).await?;
    Ok(true)
}
