//! The routes of `ops`: health, kill switches, breakers, dead letters, who did what,
//! scheduled jobs, the shop's figures, the console, the contract, the page that shows it, and
//! whatever no other function takes, which is a 404.
#![recursion_limit = "256"]

mod analytics;
mod audit;
mod breakers;
mod checks;
mod console;
mod dead_letters;
mod documents;
mod flags;
mod health;
mod jobs;
mod readiness;
mod schedules;
mod switches;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use shared::http::{self, BASE_PATH};
use shared::state::Ops;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Ops>;

pub use health::Health;
pub use readiness::{Check, Condition, Readiness};

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<AppState> {
    let under_base_path = OpenApiRouter::new()
        .routes(routes!(health::get_health))
        .routes(routes!(health::get_ready))
        .routes(routes!(flags::get_flags))
        .routes(routes!(flags::get_flag, flags::put_flag))
        .routes(routes!(breakers::get_breakers))
        .routes(routes!(breakers::put_breaker))
        .routes(routes!(dead_letters::get_dead_letters))
        .routes(routes!(dead_letters::get_dead_letter_counts))
        .routes(routes!(dead_letters::post_dead_letters_replay))
        .routes(routes!(dead_letters::get_dead_letter))
        .routes(routes!(dead_letters::post_dead_letter_replay))
        .routes(routes!(dead_letters::post_dead_letter_discard))
        .routes(routes!(audit::get_audit))
        .routes(routes!(jobs::get_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(analytics::get_summary))
        .routes(routes!(documents::get_openapi));
    OpenApiRouter::new()
        .nest(BASE_PATH, under_base_path)
        .routes(routes!(documents::get_docs))
        // Parts of the page, and no part of the contract. Nor is the console.
        .route("/docs/{file}", get(documents::get_docs_file))
        .merge(OpenApiRouter::from(console::routes()))
}

/// The function's service.
pub fn router(state: AppState) -> Router {
    http::service(routes().split_for_parts().0, state).layer(from_fn(console::never_a_problem))
}
