//! The public keys that access tokens verify with.

use axum::extract::State;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue};
use serde::Serialize;
use shared::http::{ApiError, Json, Problem};
use shared::providers::signing::PublicKey;
use utoipa::ToSchema;

use crate::AppState;

/// A set of public keys (RFC 7517).
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwks {
    /// The next key, the current one, and each retired one that a live token may carry.
    keys: Vec<Jwk>,
}

/// A public Ed25519 key (RFC 8037).
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwk {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    use_: &'static str,
    /// The key's thumbprint (RFC 7638).
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    /// The key: 32 bytes, base64url.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
}

impl From<PublicKey> for Jwk {
    fn from(key: PublicKey) -> Self {
        Self {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            use_: "sig",
            kid: key.kid,
            x: key.public,
        }
    }
}

/// Shows the keys that access tokens verify with.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "accounts",
    responses(
        (status = 200, body = Jwks),
        (status = 503, description = "The keys cannot be read.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn jwks(
    State(state): State<AppState>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Jwks>), ApiError> {
    let ring = state.verifier.ring().await?;
    let keys = ring.keys.into_iter().map(Jwk::from).collect();
    // As long as our own verifiers keep them: a revoked key is refused soon everywhere.
    let cacheable = HeaderValue::from_static("public, max-age=30");
    Ok(([(CACHE_CONTROL, cacheable)], Json(Jwks { keys })))
}
