//! The control: which faults are in force, over HTTP on loopback.
//!
//! `GET /faults` lists, `PUT /faults/<dependency>` with `{"kind": "latency=300", "for": "60s"}`
//! begins, `DELETE /faults/<dependency>` and `DELETE /faults` heal. Each answers when what it says
//! is so, with what is then in force.

use super::dependency::Dependency;
use super::kind::{Kind, span};
use super::proxy::Proxy;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A fault to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// As [`Kind`] is written.
    pub kind: String,
    /// As [`span`] reads it; without it until it is healed.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
}

/// What is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// One per dependency at most.
    pub faults: Vec<InForce>,
}

/// A fault in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// The dependency's name.
    pub dependency: String,
    /// As [`Kind`] is written.
    pub kind: String,
    /// How much longer; absent when it lasts until it is healed.
    pub seconds_left: Option<f64>,
}

type Proxies = Arc<Vec<Arc<Proxy>>>;

/// The control of these proxies.
pub(super) fn router(proxies: Proxies) -> Router {
    let one = axum::routing::put(begin).delete(heal);
    Router::new()
        .route("/faults", get(list).delete(heal_all))
        .route("/faults/{dependency}", one)
        .with_state(proxies)
}

async fn list(State(proxies): State<Proxies>) -> Json<Faults> {
    in_force(&proxies)
}

async fn begin(
    State(proxies): State<Proxies>,
    Path(name): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Faults>, Refusal> {
    let proxy = find(&proxies, &name)?;
    let kind: Kind = wanted.kind.parse().map_err(Refusal::Unreadable)?;
    kind.suits(proxy.dependency).map_err(Refusal::Unreadable)?;
    let lasts = wanted.lasts.as_deref().map(span).transpose();
    let lasts = lasts.map_err(Refusal::Unreadable)?;
    proxy
        .change(Some(kind), lasts)
        .await
        .map_err(Refusal::Failed)?;
    Ok(in_force(&proxies))
}

async fn heal(
    State(proxies): State<Proxies>,
    Path(name): Path<String>,
) -> Result<Json<Faults>, Refusal> {
    let proxy = find(&proxies, &name)?;
    proxy.change(None, None).await.map_err(Refusal::Failed)?;
    Ok(in_force(&proxies))
}

async fn heal_all(State(proxies): State<Proxies>) -> Result<Json<Faults>, Refusal> {
    for proxy in proxies.iter() {
        proxy.change(None, None).await.map_err(Refusal::Failed)?;
    }
    Ok(in_force(&proxies))
}

fn find<'a>(proxies: &'a Proxies, name: &str) -> Result<&'a Arc<Proxy>, Refusal> {
    let dependency: Dependency = name.parse().map_err(Refusal::Unknown)?;
    let found = proxies.iter().find(|proxy| proxy.dependency == dependency);
    found.ok_or_else(|| Refusal::Unknown(format!("`{dependency}` has no proxy here.")))
}

fn in_force(proxies: &Proxies) -> Json<Faults> {
    let faults = proxies.iter().filter_map(|proxy| {
        let (kind, left) = proxy.in_force()?;
        Some(InForce {
            dependency: proxy.dependency.name().into(),
            kind: kind.to_string(),
            seconds_left: left.map(|left| left.as_secs_f64()),
        })
    });
    Json(Faults {
        faults: faults.collect(),
    })
}

/// Why nothing was done, in a sentence for whoever asked.
enum Refusal {
    Unknown(String),
    Unreadable(String),
    Failed(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, words) = match self {
            Self::Unknown(words) => (StatusCode::NOT_FOUND, words),
            Self::Unreadable(words) => (StatusCode::UNPROCESSABLE_ENTITY, words),
            Self::Failed(words) => (StatusCode::INTERNAL_SERVER_ERROR, words),
        };
        (status, Json(serde_json::json!({ "error": words }))).into_response()
    }
}
