//! The `Idempotency-Key` and the answer that is given again.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{ApiError, Kind};
use crate::domain::idempotency::{Fingerprint, IdempotencyKey, SavedAnswer};
use crate::state::Base;
use crate::store::StoreError;
use crate::store::database::{self, Tx};
use crate::store::idempotency::{self, Claim, Scope};

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::new(Kind::IdempotencyKeyMissing);
        let value = parts.headers.get("idempotency-key").ok_or_else(missing)?;
        let key = value
            .to_str()
            .map_err(|_| missing().detail("It must be printable ASCII."))?;
        Self::try_from(key.to_owned()).map_err(|error| missing().detail(error.to_string()))
    }
}

/// The fingerprint of a request: its body, and the ids in its path.
///
/// # Errors
/// Never in practice: a body that cannot be written as JSON.
pub fn fingerprint<T: Serialize>(path: &str, body: &T) -> Result<Fingerprint, ApiError> {
    serde_json::to_vec(body)
        .map(|json| Fingerprint::of(path, &json))
        .map_err(ApiError::internal)
}

/// An answer that is stored whole before it is given, or was stored before.
#[derive(Debug, Clone)]
pub struct Answer {
    saved: SavedAnswer,
    replayed: bool,
}

impl Answer {
    /// A success with a JSON body.
    ///
    /// # Errors
    /// Never in practice: a body that cannot be written as JSON.
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
        Ok(Self {
            saved: SavedAnswer {
                status: status.as_u16(),
                body,
                degraded: None,
            },
            replayed: false,
        })
    }

    /// A problem that is replayed like a success (402).
    pub fn problem(problem: &ApiError) -> Self {
        let (status, body) = problem.to_body();
        Self {
            saved: SavedAnswer {
                status: status.as_u16(),
                body,
                degraded: None,
            },
            replayed: false,
        }
    }

    /// Marks what was missing.
    pub fn degraded(mut self, missing: &'static str) -> Self {
        self.saved.degraded = Some(missing.to_owned());
        self
    }

    /// Marks it as given before.
    pub fn again(mut self) -> Self {
        self.replayed = true;
        self
    }

    /// What is stored.
    pub fn saved(&self) -> &SavedAnswer {
        &self.saved
    }
}

/// What a claim means for the request: `Ok(None)` to go on, `Ok(Some)` to answer
/// with what was answered before.
///
/// # Errors
/// 409 while the first request runs, 422 for another body.
pub fn answer_before(claim: Claim) -> Result<Option<Answer>, ApiError> {
    match claim {
        Claim::Started => Ok(None),
        Claim::Finished(saved) => Ok(Some(Answer {
            saved,
            replayed: true,
        })),
        Claim::InProgress { retry_after } => {
            Err(ApiError::new(Kind::InProgress).retry_after(retry_after))
        }
        Claim::Mismatch => Err(ApiError::new(Kind::IdempotencyKeyReused)),
    }
}

/// Commits what an answer reports, the answer stored with it. When the commit's own
/// answer is lost, the key tells whether it happened; nothing is done again.
///
/// # Errors
/// It did not happen, or that cannot be found out now.
pub async fn commit(
    base: &Base,
    tx: Tx,
    scope: &Scope<'_>,
    answer: Answer,
) -> Result<Answer, ApiError> {
    let lost = match database::commit(tx).await {
        Ok(()) => return Ok(answer),
        Err(lost @ StoreError::Unavailable(_)) => lost,
        Err(error) => return Err(error.into()),
    };
    tracing::warn!(error = %lost, "the commit's answer is lost; asking for it by its key");
    let mut tx = base.database.begin().await?;
    match database::statement(idempotency::claim(&mut tx, scope)).await? {
        Claim::Finished(saved) => Ok(Answer {
            saved,
            replayed: false,
        }),
        _ => Err(lost.into()),
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.saved.status).unwrap_or(StatusCode::OK);
        let content_type = if status.is_success() {
            "application/json"
        } else {
            "application/problem+json"
        };
        let content_type = HeaderValue::from_static(content_type);
        let mut response = (
            status,
            [(header::CONTENT_TYPE, content_type)],
            self.saved.body,
        )
            .into_response();
        if self.replayed {
            let name = HeaderName::from_static("idempotent-replayed");
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static("true"));
        }
        if let Some(missing) = self
            .saved
            .degraded
            .and_then(|missing| HeaderValue::try_from(missing).ok())
        {
            response.headers_mut().insert("x-degraded", missing);
        }
        response
    }
}
