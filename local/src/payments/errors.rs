//! Errors in the shape that Stripe documents, and the status that goes with each.

use serde::Serialize;
use serde_json::Value;

/// An error answer: its HTTP status and the object under `error`.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) body: Box<ErrorBody>,
}

/// What stands under `error`; the names are Stripe's.
#[derive(Debug, Default, Clone, Serialize)]
pub(super) struct ErrorBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decline_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) doc_url: Option<String>,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_intent: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payment_method: Option<Value>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

impl ApiError {
    /// A request that cannot be carried out as it is: 400.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// The secret key is absent or not ours: 401.
    pub(super) fn unauthorised(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// The id in the path names nothing: 404.
    pub(super) fn no_such(noun: &str, id: &str, param: &str) -> Self {
        Self {
            status: 404,
            ..Self::no_such_param(noun, id, param)
        }
    }

    /// An id in a parameter names nothing: 400, unlike one in the path.
    pub(super) fn no_such_param(noun: &str, id: &str, param: &str) -> Self {
        Self::invalid(format!("No such {noun}: '{id}'"))
            .code("resource_missing")
            .param(param)
    }

    /// The path names nothing.
    pub(super) fn no_such_route(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(404, "invalid_request_error", message)
    }

    /// A key that came back with another request (400) or too early (409).
    pub(super) fn idempotency(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, "idempotency_error", message)
    }

    /// The card's issuer said no: 402.
    pub(super) fn card(code: &str, message: &str) -> Self {
        Self::new(402, "card_error", message).code(code)
    }

    /// Something here is broken: 500.
    pub(super) fn internal() -> Self {
        Self::new(500, "api_error", "An unknown error occurred")
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn code(mut self, code: &str) -> Self {
        self.body.doc_url = Some(format!(
            "https://stripe.com/docs/error-codes/{}",
            code.replace('_', "-")
        ));
        self.body.code = Some(code.to_owned());
        self
    }

    pub(super) fn param(mut self, param: &str) -> Self {
        self.body.param = Some(param.to_owned());
        self
    }

    pub(super) fn intent(mut self, intent: Value) -> Self {
        self.body.payment_intent = Some(intent);
        self
    }

    /// The whole answer's body.
    pub(super) fn to_value(&self) -> Value {
        serde_json::json!({ "error": *self.body })
    }

    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            message: message.into(),
            kind,
            ..ErrorBody::default()
        };
        Self {
            status,
            body: Box::new(body),
        }
    }
}
