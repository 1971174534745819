//! Who did what: what admins decided about money, people, switches and dead letters.

use axum::extract::State;
use serde::Deserialize;
use shared::domain::audit::Action;
use shared::http::{Admin, ApiError, Json, Page, PageQuery, Problem, Query};
use shared::store::audit::{self, Filter, Shown};
use time::OffsetDateTime;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::AppState;

/// The parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// What one account did.
    actor_id: Option<Uuid>,
    /// What was done of one kind.
    #[param(inline)]
    action: Option<Action>,
    /// What was done to one thing: an order, an account, a dead letter, a replay, a flag.
    #[param(example = "checkout")]
    subject: Option<String>,
    /// From this moment on.
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    /// Before this moment.
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    /// From 1 to 100, 20 by default.
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Shows who did what, the newest first
///
/// Entries are written in the transaction of what they tell of, and can be neither changed nor
/// removed. A switch that was moved while the database was away is in the log of `ops` alone.
#[utoipa::path(
    get, path = "/admin/audit", tag = "operations", security(("bearer" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A page of what was done", body = Page<Shown>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_audit(
    State(state): State<AppState>,
    _: Admin,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, after) = (page.limit()?, page.position::<Uuid>()?);
    if query
        .subject
        .as_ref()
        .is_some_and(|subject| subject.contains('\0'))
    {
        return Err(ApiError::invalid("subject", "must be an id or a name"));
    }
    let filter = Filter {
        actor: query.actor_id,
        action: query.action,
        subject: query.subject,
        since: query.since,
        until: query.until,
    };
    let read = state.database.read_own(|pool| {
        let filter = filter.clone();
        async move { audit::page(&pool, &filter, after, limit).await }
    });
    Ok(Json(Page::cut(read.await?, limit, |entry| entry.id)?))
}
