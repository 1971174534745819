//! What consumers gave up: what it is, why, and what an admin decides about it.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::domain::events::Queue;
use shared::domain::ids;
use shared::http::{
    Admin, ApiError, Json, Kind, Page, PageQuery, Path, Problem, Query, SteppedUp, User,
};
use shared::store::audit::{self, Entry};
use shared::store::dead_letters::{self, Count, Filter, Position, Shown};
use shared::store::{PgConnection, database, outbox};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::AppState;

/// The most that one request replays.
const LIMIT_MAX: i64 = 10_000;

/// The parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Those of one queue.
    #[param(example = "orders")]
    pub(crate) queue: Option<String>,
    /// Those of one event type.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "payment_due")]
    pub(crate) type_: Option<String>,
    /// Those with one kind of failure.
    #[param(inline)]
    pub(crate) error_class: Option<ErrorClass>,
    /// Those at one place.
    #[param(inline)]
    pub(crate) status: Option<DeadLetterStatus>,
    /// Those of one replay.
    pub(crate) replay_id: Option<Uuid>,
    /// From 1 to 100, 20 by default.
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Which are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountQuery {
    /// Those of one replay.
    pub(crate) replay_id: Option<Uuid>,
}

/// Which are to be replayed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// Those of one queue.
    #[schema(example = "orders")]
    pub(crate) queue: Option<String>,
    /// Those of one event type.
    #[serde(rename = "type")]
    #[schema(example = "payment_due")]
    pub(crate) type_: Option<String>,
    /// Those with one kind of failure.
    pub(crate) error_class: Option<ErrorClass>,
    /// How many at most, the oldest first.
    #[schema(example = 500, minimum = 1, maximum = 10000)]
    pub(crate) limit: i64,
    /// Whether they are only counted.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayView {
    /// Finds them in the list and the counts; none after a dry run.
    pub(crate) replay_id: Option<Uuid>,
    /// How many they are.
    pub(crate) matched: i64,
    /// The same in parts, as they stood before.
    pub(crate) counts: Vec<Count>,
}

impl ReplayView {
    fn of(counts: Vec<Count>) -> Self {
        Self {
            replay_id: None,
            matched: counts.iter().map(|part| part.count).sum(),
            counts,
        }
    }
}

/// Why a dead letter is not to be processed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscardBody {
    /// For whoever asks later.
    #[schema(
        value_type = Option<String>,
        example = "a test of ours, about no order",
        min_length = 1,
        max_length = 200
    )]
    pub(crate) reason: Option<Reason>,
}

/// Lists dead letters, those that were given up last first.
#[utoipa::path(
    get, path = "/admin/dead-letters", tag = "operations", security(("bearer" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A page of dead letters", body = Page<Shown>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_dead_letters(
    State(state): State<AppState>,
    _: Admin,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, after) = (page.limit()?, page.position::<Position>()?);
    let filter = Filter {
        queue: known_queue("queue", query.queue)?,
        type_: named_type("type", query.type_)?,
        error_class: query.error_class,
        status: query.status,
        replay_id: query.replay_id,
    };
    let read = state.database.read_own(|pool| {
        let filter = filter.clone();
        async move { dead_letters::page(&pool, &filter, after, limit).await }
    });
    Ok(Json(Page::cut(read.await?, limit, Position::of)?))
}

/// Counts dead letters by queue, type, kind of failure and status.
#[utoipa::path(
    get, path = "/admin/dead-letters/stats", tag = "operations", security(("bearer" = [])), params(CountQuery),
    responses(
        (status = 200, description = "All counts; there is no next page.", body = Page<Count>),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_dead_letter_counts(
    State(state): State<AppState>,
    _: Admin,
    Query(query): Query<CountQuery>,
) -> Result<Json<Page<Count>>, ApiError> {
    let read = state
        .database
        .read_own(|pool| async move { dead_letters::counts(&pool, query.replay_id).await });
    let (items, next_cursor) = (read.await?, None);
    Ok(Json(Page { items, next_cursor }))
}

/// Shows a dead letter.
#[utoipa::path(
    get, path = "/admin/dead-letters/{id}", tag = "operations", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The dead letter", body = Shown),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_dead_letter(
    State(state): State<AppState>,
    _: Admin,
    Path(id): Path<Uuid>,
) -> Result<Json<Shown>, ApiError> {
    let read = state
        .database
        .read_own(|pool| async move { dead_letters::load(&pool, id).await });
    let shown = read.await?.ok_or_else(ApiError::not_found)?;
    Ok(Json(shown))
}

/// Replays dead letters: those that wait or are parked, the oldest first
///
/// They are sent at a pace that leaves their consumers free for what is new, those of one
/// aggregate in their order, each after the one before was answered. It is done when it is
/// answered: nobody need wait for its end, and `replay_id` shows how far it is.
#[utoipa::path(
    post, path = "/admin/dead-letters/replay", tag = "operations", security(("bearer" = [])),
    request_body = ReplayBody,
    responses(
        (status = 200, description = "A dry run: what would be replayed", body = ReplayView),
        (status = 202, description = "They are due now", body = ReplayView),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_dead_letters_replay(
    State(state): State<AppState>,
    proof: SteppedUp,
    Json(body): Json<ReplayBody>,
) -> Result<(StatusCode, Json<ReplayView>), ApiError> {
    let view = replay_many(&state, proof, (ids::new_id(), body)).await?;
    let status = match view.replay_id {
        Some(_) => StatusCode::ACCEPTED,
        None => StatusCode::OK,
    };
    Ok((status, Json(view)))
}

/// Replays many under an id, once: who asks again with the same id gets the same replay.
pub(crate) async fn replay_many(
    state: &AppState,
    SteppedUp(Admin(admin)): SteppedUp,
    (replay_id, body): (Uuid, ReplayBody),
) -> Result<ReplayView, ApiError> {
    let (limit, dry_run) = (limit(body.limit)?, body.dry_run);
    let filter = Filter {
        queue: known_queue("/queue", body.queue)?,
        type_: named_type("/type", body.type_)?,
        error_class: body.error_class,
        ..Filter::default()
    };
    let mut tx = state.database.begin().await?;
    let matching = dead_letters::matching(&mut tx, &filter, limit);
    let mut view = ReplayView::of(database::statement(matching).await?);
    if dry_run {
        return Ok(view);
    }
    view.replay_id = Some(replay_id);
    let replayed = replay(&mut tx, &admin, (replay_id, &filter, limit));
    view.matched = database::within(replayed).await?;
    database::commit(tx).await?;
    Ok(view)
}

/// Replays one dead letter now. One that is being replayed, or was, stays as it is.
#[utoipa::path(
    post, path = "/admin/dead-letters/{id}/replay", tag = "operations", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "As it stands now", body = Shown),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was discarded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_dead_letter_replay(
    State(state): State<AppState>,
    SteppedUp(Admin(admin)): SteppedUp,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let shown = state
        .database
        .transact(async |tx| replay_one(tx, &admin, id).await)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// Gives a dead letter up for good. It is never processed, and never comes back.
#[utoipa::path(
    post, path = "/admin/dead-letters/{id}/discard", tag = "operations", security(("bearer" = [])), params(("id" = Uuid, Path)),
    request_body = Option<DiscardBody>,
    responses(
        (status = 200, description = "As it stands now", body = Shown),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is being replayed, or done with", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The reason is none", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_dead_letter_discard(
    State(state): State<AppState>,
    SteppedUp(Admin(admin)): SteppedUp,
    Path(id): Path<Uuid>,
    body: Option<Json<DiscardBody>>,
) -> Result<Json<Shown>, ApiError> {
    let reason = body.and_then(|Json(body)| body.reason);
    let reason = reason.as_ref().map_or("none was given", Reason::as_str);
    let shown = state
        .database
        .transact(async |tx| discard(tx, &admin, (id, reason)).await)
        .await?;
    Ok(Json(shown))
}

/// A type may be of a later release, so it is one if it is written like one.
fn named_type(pointer: &'static str, name: Option<String>) -> Result<Option<String>, ApiError> {
    let is_type = |name: &String| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    match name {
        Some(name) if !is_type(&name) => Err(ApiError::invalid(
            pointer,
            "must be a type, such as order_paid",
        )),
        name => Ok(name),
    }
}

/// `pointer` is where it was given.
fn known_queue(pointer: &'static str, name: Option<String>) -> Result<Option<String>, ApiError> {
    match name {
        Some(name) if Queue::from_name(&name).is_none() => {
            let known = Queue::ALL.map(Queue::name).join(", ");
            Err(ApiError::invalid(
                pointer,
                format!("must be one of {known}"),
            ))
        }
        name => Ok(name),
    }
}

fn limit(limit: i64) -> Result<i64, ApiError> {
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        let reason = format!("must be a number from 1 to {LIMIT_MAX}");
        Err(ApiError::invalid("/limit", reason))
    }
}

/// Has them replayed, which is recorded in the same transaction; how many they are. None, when that
/// was done already: a form that is sent twice has one id.
async fn replay(
    tx: &mut PgConnection,
    admin: &User,
    (replay_id, filter, limit): (Uuid, &Filter, i64),
) -> Result<i64, ApiError> {
    dead_letters::hold_replay(tx, replay_id).await?;
    if dead_letters::is_replay(tx, replay_id).await? {
        return Ok(0);
    }
    let released = dead_letters::release_matching(tx, replay_id, filter, limit).await?;
    let entry = Entry {
        actor: admin.id(),
        action: Action::DeadLettersReplay,
        subject: &replay_id.to_string(),
        detail: json!({
            "queue": filter.queue, "type": filter.type_, "error_class": filter.error_class,
            "limit": limit, "matched": released,
        }),
    };
    audit::record(tx, &entry).await?;
    Ok(i64::try_from(released).unwrap_or(i64::MAX))
}

async fn replay_one(tx: &mut PgConnection, admin: &User, id: Uuid) -> Result<Shown, ApiError> {
    match dead_letters::lock_open(tx, id).await? {
        None => return Err(ApiError::not_found()),
        Some(DeadLetterStatus::Discarded) => {
            return Err(ApiError::new(Kind::Conflict).detail("It was discarded."));
        }
        Some(DeadLetterStatus::Replaying | DeadLetterStatus::Replayed) => {}
        Some(DeadLetterStatus::Waiting | DeadLetterStatus::Parked) => {
            dead_letters::release(tx, id).await?;
            let entry = Entry {
                actor: admin.id(),
                action: Action::DeadLetterReplay,
                subject: &id.to_string(),
                detail: json!({}),
            };
            audit::record(tx, &entry).await?;
        }
    }
    let shown = dead_letters::load(tx, id).await?;
    shown.ok_or_else(ApiError::not_found)
}

async fn discard(
    tx: &mut PgConnection,
    admin: &User,
    (id, reason): (Uuid, &str),
) -> Result<Shown, ApiError> {
    match dead_letters::lock_open(tx, id).await? {
        None => return Err(ApiError::not_found()),
        Some(DeadLetterStatus::Waiting | DeadLetterStatus::Parked) => {}
        Some(_) => {
            let detail = "It is being replayed, or done with.";
            return Err(ApiError::new(Kind::Conflict).detail(detail));
        }
    }
    dead_letters::discard(tx, id, (admin.id(), reason)).await?;
    outbox::give_up(tx, id).await?;
    let entry = Entry {
        actor: admin.id(),
        action: Action::DeadLetterDiscard,
        subject: &id.to_string(),
        detail: json!({"reason": reason}),
    };
    audit::record(tx, &entry).await?;
    let shown = dead_letters::load(tx, id).await?;
    shown.ok_or_else(ApiError::not_found)
}
