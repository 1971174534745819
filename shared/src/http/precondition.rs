//! `ETag` and `If-Match` of things that carry a version.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderValue, header};
use sha2::{Digest, Sha256};

use super::{ApiError, Kind};

/// The version that the caller read. 428 when missing, 412 when it is not one of ours.
#[derive(Debug, Clone, Copy)]
pub enum IfMatch {
    /// `*`: whatever the version is.
    Any,
    /// The version named by the tag.
    Version(i64),
}

impl IfMatch {
    /// Checks it against the present version.
    ///
    /// # Errors
    /// 412 when the present version is another one.
    pub fn check(self, present: i64) -> Result<(), ApiError> {
        match self {
            Self::Version(version) if version != present => Err(ApiError::new(Kind::Stale)),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let value = parts
            .headers
            .get(header::IF_MATCH)
            .ok_or_else(|| ApiError::new(Kind::PreconditionRequired))?;
        let tag = value.to_str().unwrap_or_default().trim();
        if tag == "*" {
            return Ok(Self::Any);
        }
        version_of(tag)
            .map(Self::Version)
            .ok_or_else(|| ApiError::new(Kind::Stale))
    }
}

fn version_of(tag: &str) -> Option<i64> {
    let inner = tag.strip_prefix("\"v")?.strip_suffix('"')?;
    inner.split('-').next()?.parse().ok()
}

/// The strong entity tag of a representation: its version, for `If-Match`, and a
/// hash, because parts such as availability change without a new version.
pub fn etag(version: i64, body: &[u8]) -> HeaderValue {
    let hash = hash(body);
    HeaderValue::try_from(format!("\"v{version}-{hash}\""))
        .unwrap_or(HeaderValue::from_static("\"v0\""))
}

/// The strong entity tag of what has no version, such as a list.
pub(super) fn hash_tag(body: &[u8]) -> HeaderValue {
    HeaderValue::try_from(format!("\"{}\"", hash(body))).unwrap_or(HeaderValue::from_static("\"\""))
}

fn hash(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    URL_SAFE_NO_PAD.encode(&digest[..9]).replace('-', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_gives_its_version_back() {
        for version in [0, 1, 42] {
            assert_eq!(
                version_of(etag(version, b"body").to_str().unwrap()),
                Some(version)
            );
        }
        assert_eq!(version_of("\"else\""), None);
    }

    #[test]
    fn other_body_has_another_tag() {
        assert_ne!(etag(1, b"a"), etag(1, b"b"));
    }
}
