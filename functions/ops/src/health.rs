//! Whether the function runs, and whether the shop can sell.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shared::http::{Json, Problem};
use shared::resilience::policies::READINESS_RETRY_AFTER;
use utoipa::ToSchema;

use crate::AppState;
use crate::readiness::{self, Condition, Readiness};

/// The function runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`: a function that does not run does not answer.
    #[schema(example = "ok")]
    pub status: String,
}

/// Tells that the function runs
///
/// Touches nothing else, so it says nothing about what the shop depends on.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operations",
    responses(
        (status = 200, description = "It runs.", body = Health),
        (status = 500, description = "It is broken.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_health() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
    })
}

/// Tells whether the shop can sell, and what is missing
///
/// Asks every dependency at the same moment. `degraded` still sells: something
/// is served in a reduced way. The 503 has the same body, not a problem's.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operations",
    responses(
        (status = 200, description = "The shop can sell.", body = Readiness, example = json!(readiness::example())),
        (status = 503, description = "The shop cannot sell.", body = Readiness),
        (status = 500, description = "Readiness is not known.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_ready(State(state): State<AppState>) -> Response {
    let readiness = readiness::look(&state).await;
    if readiness.status != Condition::Unhealthy {
        return Json(readiness).into_response();
    }
    let retry_after = READINESS_RETRY_AFTER.as_secs().to_string();
    let unavailable = axum::http::StatusCode::SERVICE_UNAVAILABLE;
    (unavailable, [("retry-after", retry_after)], Json(readiness)).into_response()
}
