//! The console: pages for whoever is on call. They read and do what the routes of the contract
//! read and do, by calling the same handlers; only how somebody signs in is the pages' own. Reading
//! works without JavaScript, which does no more than look again every few seconds.

mod assets;
mod breaker;
mod bulk_replay;
mod choices;
mod dead_letter;
mod dead_letters;
mod failure;
mod fields;
mod flag;
mod jobs;
mod labels;
mod operator;
mod order;
mod orders;
mod overview;
mod queues;
mod session;
mod shell;
mod switches;
mod words;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::get;
use shared::http::{ApiError, CONSOLE_PATH, Kind, own_pages_only};

use crate::AppState;

pub(crate) use failure::{Failure, never_a_problem};
pub(crate) use operator::Operator;
pub(crate) use shell::{Shell, Tab};

/// What a page's handler answers.
pub(crate) type Answer = Result<Response, Failure>;

/// Every page. What changes something is a form that its own page shows: the same path, once with
/// GET and once with POST, answered with a redirect.
pub(crate) fn routes() -> Router<AppState> {
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(session::show_sign_in))
        .route("/step-up", get(session::show_step_up))
        .route("/switches", get(switches::show_all))
        .route("/switches/{flag}", get(flag::show_form).post(flag::submit))
        .route(
            "/breakers/{dependency}",
            get(breaker::show_form).post(breaker::submit),
        )
        .route("/dead-letters", get(dead_letters::show_all))
        .route(
            "/dead-letters/replay",
            get(bulk_replay::show_form).post(bulk_replay::submit),
        )
        .route("/dead-letters/{id}", get(dead_letter::show_one))
        .route(
            "/dead-letters/{id}/replay",
            get(dead_letter::show_replay).post(dead_letter::submit_replay),
        )
        .route(
            "/dead-letters/{id}/discard",
            get(dead_letter::show_discard).post(dead_letter::submit_discard),
        )
        .route("/jobs/{name}", get(jobs::show_one))
        .route("/orders", get(orders::show_all))
        .route("/orders/{id}", get(order::show_one))
        .route("/assets/{file}", get(assets::file))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::new(Kind::MethodNotAllowed))
        .layer(from_fn(operator::keep_typed))
        .layer(own_pages_only());
    Router::new().nest(CONSOLE_PATH, pages)
}
