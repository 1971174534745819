//! The routes of `auth`.
#![recursion_limit = "256"]

use axum::Router;
use shared::http;
use shared::state::AppState;
use utoipa_axum::router::OpenApiRouter;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
}

/// The function's service.
pub fn router(state: AppState) -> Router {
    http::service(routes().split_for_parts().0, state)
}
