//! What is sent for a read: bytes that are made once, and their tag.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::ApiError;
use super::precondition::{etag, hash_tag};

/// A representation as it goes out: its bytes and its tag.
#[derive(Debug, Clone)]
pub struct Representation {
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) missing: Option<&'static str>,
}

impl Representation {
    /// Of something without a version, such as a list.
    ///
    /// # Errors
    /// Never in practice: a value that cannot be written as JSON.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, ApiError> {
        let body = Bytes::from(serde_json::to_vec(value).map_err(ApiError::internal)?);
        Ok(Self {
            etag: hash_tag(&body),
            body,
            missing: None,
        })
    }

    /// Of something whose version `If-Match` names.
    ///
    /// # Errors
    /// Never in practice: a value that cannot be written as JSON.
    pub fn versioned<T: Serialize>(value: &T, version: i64) -> Result<Self, ApiError> {
        let body = Bytes::from(serde_json::to_vec(value).map_err(ApiError::internal)?);
        Ok(Self {
            etag: etag(version, &body),
            body,
            missing: None,
        })
    }

    /// The same, made without what is wanted: `X-Degraded` names it, also when it is given again.
    #[must_use]
    pub fn without(mut self, missing: &'static str) -> Self {
        self.missing = Some(missing);
        self
    }

    /// The answer to somebody in particular, which nobody else may be given.
    pub fn private(self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::ETAG, self.etag);
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        );
        response
    }

    /// Whether `If-None-Match` names it, by weak comparison (RFC 9110, 13.1.2).
    pub(super) fn is_named(&self, request: &HeaderMap) -> bool {
        let names = |tag: &[u8]| {
            let tag = tag.trim_ascii();
            tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes()
        };
        let values = request.get_all(header::IF_NONE_MATCH).iter();
        values
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .any(names)
    }
}
