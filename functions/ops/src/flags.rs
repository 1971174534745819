//! The kill switches.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::domain::flags::Flag;
use shared::dynamo::flags::StoredFlag;
use shared::http::{Admin, ApiError, Json, Page, Path, Problem, SteppedUp};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::switches::{Done, change, recorded};

/// A kill switch. What nobody has ever switched is on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlagView {
    /// Its name.
    #[schema(example = "search")]
    pub(crate) name: &'static str,
    /// What cannot be done while it is off.
    pub(crate) description: &'static str,
    /// Whether the feature is on.
    pub(crate) enabled: bool,
    /// Why it was switched last.
    pub(crate) reason: Option<String>,
    /// Which admin did.
    pub(crate) updated_by: Option<Uuid>,
    /// When.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) updated_at: Option<OffsetDateTime>,
}

impl FlagView {
    fn of(flag: Flag, stored: Option<StoredFlag>) -> Self {
        let enabled = stored.as_ref().is_none_or(|stored| stored.enabled);
        let change = stored.map(|stored| stored.change);
        Self {
            name: flag.name(),
            description: flag.description(),
            enabled,
            updated_by: change.as_ref().map(|change| change.by),
            updated_at: change.as_ref().map(|change| change.at),
            reason: change.map(|change| change.reason),
        }
    }
}

/// How a switch is to stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetFlag {
    /// Whether the feature is to be on.
    #[schema(example = false)]
    pub(crate) enabled: bool,
    /// Why, for whoever asks later.
    #[schema(value_type = String, example = "refunds are looked into", min_length = 1, max_length = 200)]
    pub(crate) reason: Reason,
}

/// Shows every kill switch.
#[utoipa::path(
    get, path = "/admin/flags", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them; there is no next page.", body = Page<FlagView>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The table is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_flags(
    State(state): State<AppState>,
    _: Admin,
) -> Result<Json<Page<FlagView>>, ApiError> {
    let flags = state.flags.all().await?.into_iter();
    Ok(Json(Page {
        items: flags
            .map(|(flag, stored)| FlagView::of(flag, stored))
            .collect(),
        next_cursor: None,
    }))
}

/// Shows one kill switch.
#[utoipa::path(
    get, path = "/admin/flags/{name}", tag = "operations", security(("bearer" = [])),
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The switch", body = FlagView),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The table is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_flag(
    State(state): State<AppState>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<Json<FlagView>, ApiError> {
    let wanted = Flag::from_name(&name).ok_or_else(ApiError::not_found)?;
    let all = state.flags.all().await?.into_iter();
    let stored = all
        .filter(|(flag, _)| *flag == wanted)
        .find_map(|(_, stored)| stored);
    Ok(Json(FlagView::of(wanted, stored)))
}

/// Switches a feature off or on
///
/// Every function knows it within a few seconds. What is off answers 503 `feature-disabled`.
/// `X-Degraded: database`: it holds, but is not in the audit log.
#[utoipa::path(
    put, path = "/admin/flags/{name}", tag = "operations", security(("bearer" = [])),
    params(("name" = String, Path)), request_body = SetFlag,
    responses(
        (status = 200, description = "As it stands now", body = FlagView),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No reason, or something else is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The table is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put_flag(
    State(state): State<AppState>,
    SteppedUp(admin): SteppedUp,
    Path(name): Path<String>,
    Json(body): Json<SetFlag>,
) -> Result<Response, ApiError> {
    let flag = Flag::from_name(&name).ok_or_else(ApiError::not_found)?;
    let stored = StoredFlag {
        enabled: body.enabled,
        change: change(&admin, body.reason),
    };
    state.flags.set(flag, &stored).await?;
    let done = Done {
        admin: &admin,
        action: Action::FlagSet,
        subject: flag.name(),
        detail: json!({"enabled": stored.enabled, "reason": stored.change.reason}),
    };
    Ok(recorded(&state, &done, FlagView::of(flag, Some(stored))).await)
}
