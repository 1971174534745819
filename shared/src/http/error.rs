//! One error type at the edge, and one table from its kinds to what clients see.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{context, telemetry};

/// What went wrong, as a client may distinguish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body or the query string cannot be parsed.
    Unreadable,
    /// The cursor was not made by this list.
    InvalidCursor,
    /// The route needs an `Idempotency-Key`.
    IdempotencyKeyMissing,
    /// No access token, or one that does not verify.
    Unauthorized,
    /// The address and password do not match an account.
    InvalidCredentials,
    /// The provider refused the payment.
    PaymentDeclined,
    /// The customer must authenticate with their bank first.
    AuthenticationRequired,
    /// Known, but not allowed.
    Forbidden,
    /// Allowed with a second factor only.
    StepUpRequired,
    /// Absent, or somebody else's.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The present state does not allow it.
    Conflict,
    /// Fewer units are left than asked for.
    InsufficientStock,
    /// The total is not the expected one any more.
    TotalChanged,
    /// The first request with this key is still running.
    InProgress,
    /// `If-Match` names an older version.
    Stale,
    /// The body is larger than the route takes.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// Readable, but not valid.
    Invalid,
    /// The key was used for another body.
    IdempotencyKeyReused,
    /// The route needs `If-Match`.
    PreconditionRequired,
    /// Too many requests.
    RateLimited,
    /// A defect of ours.
    Internal,
    /// A dependency is down and nothing better could be served.
    Unavailable,
    /// The answer was not ready before the deadline.
    Timeout,
    /// An operator has switched the feature off.
    FeatureDisabled,
}

impl Kind {
    /// The stable problem type's last segment, the status and the title.
    #[rustfmt::skip] // A table is read by the row.
    pub const fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unreadable => ("unreadable", S::BAD_REQUEST, "The request cannot be read"),
            Self::InvalidCursor => ("invalid-cursor", S::BAD_REQUEST, "The cursor is not valid"),
            Self::IdempotencyKeyMissing => ("idempotency-key-missing", S::BAD_REQUEST, "An Idempotency-Key is required"),
            Self::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "A valid access token is required"),
            Self::InvalidCredentials => ("invalid-credentials", S::UNAUTHORIZED, "The credentials are not valid"),
            Self::PaymentDeclined => ("payment-declined", S::PAYMENT_REQUIRED, "The payment was declined"),
            Self::AuthenticationRequired => ("authentication-required", S::PAYMENT_REQUIRED, "The payment must be authenticated"),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "This is not allowed"),
            Self::StepUpRequired => ("step-up-required", S::FORBIDDEN, "A second factor is required"),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is no such thing here"),
            Self::MethodNotAllowed => ("method-not-allowed", S::METHOD_NOT_ALLOWED, "The path does not take this method"),
            Self::Conflict => ("conflict", S::CONFLICT, "The present state does not allow this"),
            Self::InsufficientStock => ("insufficient-stock", S::CONFLICT, "Not enough stock"),
            Self::TotalChanged => ("total-changed", S::CONFLICT, "The total has changed"),
            Self::InProgress => ("in-progress", S::CONFLICT, "The first request is still running"),
            Self::Stale => ("stale", S::PRECONDITION_FAILED, "It has changed since it was read"),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE, "The body must be JSON"),
            Self::Invalid => ("invalid", S::UNPROCESSABLE_ENTITY, "The request is not valid"),
            Self::IdempotencyKeyReused => ("idempotency-key-reused", S::UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for another request"),
            Self::PreconditionRequired => ("precondition-required", S::PRECONDITION_REQUIRED, "If-Match is required"),
            Self::RateLimited => ("rate-limited", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "Something broke on our side"),
            Self::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "Not available right now"),
            Self::Timeout => ("timeout", S::SERVICE_UNAVAILABLE, "It took too long"),
            Self::FeatureDisabled => ("feature-disabled", S::SERVICE_UNAVAILABLE, "This is switched off for now"),
        }
    }
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body, or the parameter's name.
    #[schema(example = "/lines/0/quantity")]
    pub pointer: String,
    /// What is wrong with it, for a person.
    pub reason: String,
}

/// The body of every answer that is not a success (RFC 9457).
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable URI reference.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not-found")]
    pub type_: String,
    /// The same for every problem of this type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time. Absent where it would tell what broke inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id.
    pub instance: String,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// The one error of the edge: an outside message, and an inside cause that is only logged.
#[derive(Debug)]
pub struct ApiError {
    kind: Kind,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error without a detail.
    pub fn new(kind: Kind) -> Self {
        let retry_after = matches!(kind, Kind::Unavailable | Kind::Timeout | Kind::InProgress)
            .then_some(Duration::from_secs(1));
        Self {
            kind,
            detail: None,
            errors: Vec::new(),
            members: Map::new(),
            retry_after,
            source: None,
        }
    }

    /// Adds what happened this time, for a person.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a field at fault.
    pub fn field(mut self, pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            reason: reason.into(),
        });
        self
    }

    /// Adds a member of the problem's own, such as the new total.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again.
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// Keeps the cause for the log.
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A body whose `pointer` is at fault.
    pub fn invalid(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Kind::Invalid).field(pointer, reason)
    }

    /// Absent, or not the caller's.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound)
    }

    /// Allowed with a token of after a second factor.
    pub fn step_up_required() -> Self {
        Self::new(Kind::StepUpRequired).detail(
            "Send a code to POST /api/v1/auth/step-up and use the access token that it answers.",
        )
    }

    /// A defect of ours; the cause is logged, never shown.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal).caused_by(source)
    }

    /// A dependency is away; the cause is logged, never shown.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Unavailable).caused_by(source)
    }

    /// What is wrong with a field, if it is at fault.
    pub fn reason(&self, pointer: &str) -> Option<&str> {
        let at_fault = self.errors.iter().find(|field| field.pointer == pointer);
        at_fault.map(|field| field.reason.as_str())
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The status and the problem document.
    pub fn to_body(&self) -> (StatusCode, Vec<u8>) {
        let (name, status, title) = self.kind.row();
        let mut document = self.members.clone();
        document.insert("type".into(), json!(format!("/problems/{name}")));
        document.insert("title".into(), json!(title));
        document.insert("status".into(), json!(status.as_u16()));
        document.insert("instance".into(), json!(context::request_id()));
        if !status.is_server_error() {
            document.insert("detail".into(), json!(self.shown_detail(title)));
        }
        if !self.errors.is_empty() {
            document.insert("errors".into(), json!(self.errors));
        }
        (status, Value::Object(document).to_string().into_bytes())
    }

    /// Where nothing was said of this time, the fields at fault, or what is always so.
    fn shown_detail(&self, title: &'static str) -> Cow<'_, str> {
        if let Some(detail) = self.detail.as_deref() {
            return detail.into();
        }
        let fields = self.errors.iter();
        let fields: Vec<_> = fields
            .map(|field| format!("{} {}", field.pointer, field.reason))
            .collect();
        match fields.is_empty() {
            true => format!("{title}.").into(),
            false => format!("{}.", fields.join("; ")).into(),
        }
    }

    /// Logs the cause with its chain, once. Only for who answers something else than the error.
    pub fn log(&self) {
        let (name, status, _) = self.kind.row();
        let Some(source) = self.source.as_deref() else {
            return;
        };
        let chain = telemetry::chain(source);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(
                request.id = context::request_id(),
                problem = name,
                error = chain
            );
        } else {
            tracing::warn!(
                request.id = context::request_id(),
                problem = name,
                error = chain
            );
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let (status, body) = self.to_body();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        if let Some(pause) = self.retry_after {
            let seconds = pause.as_secs_f64().ceil().max(1.0) as u64;
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
