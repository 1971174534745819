//! The console: pages for whoever is on call. They read and do what the routes of the contract
//! read and do, by calling the same handlers; only how somebody signs in is the pages' own. Reading
//! works without JavaScript, which does no more than look again every few seconds.

mod assets;
mod bulk_replay;
mod dead_letter;
mod dead_letters;
mod failure;
mod fields;
mod labels;
mod operator;
mod order;
mod orders;
mod overview;
mod session;
mod shell;
mod words;

use axum::Router;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::http::{ApiError, CONSOLE_PATH, Kind};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::AppState;

pub(crate) use failure::Failure;
pub(crate) use operator::Operator;
pub(crate) use shell::{Shell, Tab};

/// What a page's handler answers.
pub(crate) type Answer = Result<Response, Failure>;

/// Every page. What changes something is a form that its own page shows: the same path, once with
/// GET and once with POST, answered with a redirect.
pub(crate) fn routes() -> Router<AppState> {
    // Forms are taken from this origin's own pages only.
    let own_pages_only = CsrfLayer::new().with_rejection_response(|_: ProtectionError| {
        let detail = "The form was not sent from this console.";
        ApiError::new(Kind::Forbidden)
            .detail(detail)
            .into_response()
    });
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(session::show_sign_in))
        .route("/step-up", get(session::show_step_up))
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
        .route("/orders", get(orders::show_all))
        .route("/orders/{id}", get(order::show_one))
        .route("/assets/{file}", get(assets::file))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::new(Kind::MethodNotAllowed))
        .layer(own_pages_only)
        .layer(map_response(failure::as_page));
    Router::new().nest(CONSOLE_PATH, pages)
}
