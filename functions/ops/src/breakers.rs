//! The breakers, as this function sees them, and an operator's word about them.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::dynamo::control::Change;
use shared::http::{Admin, ApiError, Json, Page, Path, Problem, SteppedUp};
use shared::resilience::policies::DEPENDENCIES;
use shared::resilience::{Dependency, Forced, breaker};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::switches::{Done, change, recorded};

/// A breaker. `payments` is one for all environments; of the others this is `ops`' own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakerView {
    /// The dependency.
    #[schema(example = "payments")]
    pub(crate) name: &'static str,
    /// `closed`, `open` or `half_open`; `held_open` or `held_closed` by an operator.
    #[schema(example = "closed")]
    pub(crate) state: &'static str,
    /// What happens while it is open.
    pub(crate) meanwhile: &'static str,
    /// Why an operator had a word last.
    pub(crate) reason: Option<String>,
    /// Which admin did.
    pub(crate) updated_by: Option<Uuid>,
    /// When.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) updated_at: Option<OffsetDateTime>,
}

impl BreakerView {
    fn of(dependency: Dependency, change: Option<Change>) -> Self {
        Self {
            name: dependency.name(),
            state: state_of(dependency),
            meanwhile: dependency.policy().meanwhile,
            updated_by: change.as_ref().map(|change| change.by),
            updated_at: change.as_ref().map(|change| change.at),
            reason: change.map(|change| change.reason),
        }
    }
}

/// How a breaker stands, in one word.
pub(crate) fn state_of(dependency: Dependency) -> &'static str {
    match breaker(dependency) {
        (_, Some(Forced::Open)) => "held_open",
        (_, Some(Forced::Closed)) => "held_closed",
        (state, None) => state.name(),
    }
}

/// How a breaker is to stand.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WantedState {
    /// Nobody calls.
    Open,
    /// Everybody calls, whatever comes of it.
    Closed,
    /// The calls decide, as they do when nobody has a word.
    Auto,
}

impl WantedState {
    /// All of them; first what changes least.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Open, Self::Closed];

    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Auto => "auto",
        }
    }
}

/// An operator's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetBreaker {
    /// How it is to stand.
    pub(crate) state: WantedState,
    /// Why, for whoever asks later.
    #[schema(
        value_type = String,
        example = "the provider announced maintenance",
        min_length = 1,
        max_length = 200
    )]
    pub(crate) reason: Reason,
}

/// Shows every breaker.
#[utoipa::path(
    get, path = "/admin/breakers", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them; there is no next page.", body = Page<BreakerView>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_breakers(
    State(state): State<AppState>,
    _: Admin,
) -> Json<Page<BreakerView>> {
    let mut items = Vec::new();
    for row in &DEPENDENCIES {
        let change = state.breakers.change(row.dependency).await;
        items.push(BreakerView::of(row.dependency, change));
    }
    let next_cursor = None;
    Json(Page { items, next_cursor })
}

/// Holds a breaker open or closed, or lets it go
///
/// In every environment, as soon as it reads the switches again. `X-Degraded: database`: it
/// holds, but is not in the audit log.
#[utoipa::path(
    put, path = "/admin/breakers/{dependency}", tag = "operations", security(("bearer" = [])),
    params(("dependency" = String, Path)), request_body = SetBreaker,
    responses(
        (status = 200, description = "As it stands now", body = BreakerView),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such dependency", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No reason, or something else is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The table is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn put_breaker(
    State(state): State<AppState>,
    SteppedUp(admin): SteppedUp,
    Path(dependency): Path<String>,
    Json(body): Json<SetBreaker>,
) -> Result<Response, ApiError> {
    let dependency = Dependency::from_name(&dependency).ok_or_else(ApiError::not_found)?;
    let change = change(&admin, body.reason);
    let forced = match body.state {
        WantedState::Open => Some(Forced::Open),
        WantedState::Closed => Some(Forced::Closed),
        WantedState::Auto => None,
    };
    state.breakers.force(dependency, forced, &change).await?;
    let done = Done {
        admin: &admin,
        action: Action::BreakerSet,
        subject: dependency.name(),
        detail: json!({"state": body.state, "reason": change.reason}),
    };
    let view = BreakerView::of(dependency, Some(change));
    Ok(recorded(&state, &done, view).await)
}
