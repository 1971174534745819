//! Extractors for what a caller sends. Each failure becomes a problem that names the field.

use axum::body::HttpBody;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::strict::{Strict, Unique};
use super::{ApiError, Kind};

/// A JSON body, in or out.
///
/// In: 415 when it is not declared as JSON, 413 when it is too large, 400 when
/// it is not JSON at all, 422 with a pointer when a field is missing, given twice
/// or of the wrong type. What was sent is not repeated in the answer.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::new(Kind::UnsupportedMediaType));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let too_large = rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE;
                ApiError::new(if too_large {
                    Kind::TooLarge
                } else {
                    Kind::Unreadable
                })
            })?;
        parse(&bytes).map(Self)
    }
}

/// `None` when nothing was sent.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state)
            .await
            .map(Some)
    }
}

fn is_json(request: &Request) -> bool {
    let declared = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = declared.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Two passes, so that what is not JSON (400) and what is not ours (422) stay apart.
    let value = read(bytes)?;
    if !value.is_object() {
        return Err(ApiError::invalid("", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(Strict(value)).map_err(|error| {
        let pointer = pointer(error.path());
        field_at_fault(pointer, &error.into_inner().to_string())
    })
}

fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    let unreadable = |error: serde_json::Error| {
        ApiError::new(Kind::Unreadable).detail(format!("The body is not JSON: {error}"))
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json);
    let Unique(value) = read.map_err(|error| {
        if error.inner().is_data() {
            ApiError::invalid(pointer(error.path()), "is given twice")
        } else {
            unreadable(error.into_inner())
        }
    })?;
    json.end().map_err(unreadable)?;
    Ok(value)
}

/// Of a missing field serde names the object around it; here it is the field.
fn field_at_fault(pointer: String, reason: &str) -> ApiError {
    let quoted = |prefix| reason.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = quoted("missing field `") {
        return ApiError::invalid(format!("{pointer}/{}", escape(name)), "is missing");
    }
    let Some(name) = quoted("unknown field `") else {
        return ApiError::invalid(pointer, without_value(reason));
    };
    // Within an enum with a tag the path ends at the object.
    let last = format!("/{}", escape(name));
    let object = pointer.strip_suffix(&last).unwrap_or(&pointer);
    ApiError::invalid(format!("{object}{last}"), "is not known here")
}

/// What serde says, without the value that it has found: that may be a card number or a password
/// in the wrong place, and answers are logged and shown where requests are not.
fn without_value(reason: &str) -> String {
    let repeats = ["invalid type: ", "invalid value: ", "unknown variant `"];
    let repeats = repeats.iter().any(|begin| reason.starts_with(begin));
    // What was found stands first, and may itself say anything.
    match reason.rsplit_once(", expected ").filter(|_| repeats) {
        Some((_, expected)) => format!("must be {expected}"),
        None => reason.to_owned(),
    }
}

/// As RFC 6901 wants it.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&escape(key)),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.pop().map_or((), drop),
        }
        pointer
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        // Not axum's, which would show a value that cannot be written as plain text.
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// The query string; 422 with the parameter's name.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state)
                .await
                .map_err(|_| {
                    ApiError::new(Kind::Unreadable).detail("The query string cannot be read.")
                })?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(name, "is given twice"));
            }
        }
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|rejection| {
                let reason = std::error::Error::source(&rejection)
                    .map_or_else(|| rejection.to_string(), ToString::to_string);
                let (name, reason) = reason.split_once(": ").unwrap_or(("", &reason));
                ApiError::invalid(name, without_value(reason))
            })
    }
}

/// The path's parameters. One that cannot be parsed names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| ApiError::not_found())
    }
}
