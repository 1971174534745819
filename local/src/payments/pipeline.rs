//! What happens to every API request: key, form, idempotency, execution, answer.
//!
//! A fault for drills would be woven in here, around `execute`: before it (nothing has happened)
//! or after it (it has, but the answer is lost).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

use super::Sandbox;
use super::errors::ApiError;
use super::form::{Params, hex};
use super::idempotency::{Answer, Keyed, ScopedKey};
use super::objects::API_VERSION;
use super::routes::{self, Operation};
use super::store::Caller;

const KEY_LENGTH_MAX: usize = 255;

/// Answers anything below `/v1/`.
pub(super) async fn answer(
    State(sandbox): State<Sandbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = Sent {
        method,
        uri,
        headers,
        body,
    };
    let key = sent.idempotency_key().ok().flatten();
    let caller = sandbox.caller(key.clone());
    let request_id = caller.request_id.clone();
    let mut response = match handle(sandbox, sent, caller).await {
        Ok(Outcome::Fresh(status, body)) => reply(status, body),
        Ok(Outcome::Replayed(answer)) => {
            let mut response = reply(answer.status, answer.body);
            set(&mut response, "idempotent-replayed", "true");
            set(&mut response, "original-request", &answer.request_id);
            response
        }
        Err(error) => reply(error.status, error.to_value().to_string()),
    };
    set(&mut response, "request-id", &request_id);
    set(&mut response, "stripe-version", API_VERSION);
    if let Some(key) = key {
        set(&mut response, "idempotency-key", &key);
    }
    response
}

/// A JSON answer.
pub(super) fn reply(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A request as it came.
struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

enum Outcome {
    Fresh(u16, String),
    Replayed(Answer),
}

async fn handle(sandbox: Sandbox, sent: Sent, caller: Caller) -> Result<Outcome, ApiError> {
    sent.check_secret_key(&sandbox)?;
    let path = sent.uri.path().to_owned();
    let params = sent.params()?;
    let Some(key) = sent.idempotency_key()? else {
        let operation = routes::plan(&sent.method, &path, params)?;
        let (status, body) = execute_to_the_end(sandbox, operation, caller, None).await?;
        return Ok(Outcome::Fresh(status, body));
    };
    let keyed = Keyed {
        key: ScopedKey {
            scope: scope(sandbox.secret_key()),
            key,
        },
        fingerprint: params.fingerprint(&format!("{} {path} ", sent.method)),
    };
    let planned = routes::plan(&sent.method, &path, params);
    let operation = {
        let mut books = sandbox.books();
        if let Some(answer) = books.keys.recall(&keyed)? {
            return Ok(Outcome::Replayed(answer));
        }
        let operation = planned?;
        books.keys.begin(&keyed.key);
        operation
    };
    let (status, body) = execute_to_the_end(sandbox, operation, caller, Some(keyed)).await?;
    Ok(Outcome::Fresh(status, body))
}

/// Executes in a task of its own: a client that hangs up does not stop its payment.
async fn execute_to_the_end(
    sandbox: Sandbox,
    operation: Operation,
    caller: Caller,
    keyed: Option<Keyed>,
) -> Result<(u16, String), ApiError> {
    let key = InUse {
        sandbox: sandbox.clone(),
        key: keyed.as_ref().map(|keyed| keyed.key.clone()),
    };
    let task = tokio::spawn(async move {
        let _in_use = key;
        tokio::time::sleep(sandbox.latency()).await;
        sandbox.execute(operation, &caller, keyed.as_ref())
    });
    task.await.map_err(|_| ApiError::internal())
}

/// Frees the key at the end, even after a panic.
struct InUse {
    sandbox: Sandbox,
    key: Option<ScopedKey>,
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.sandbox.books().keys.end(key);
        }
    }
}

impl Sent {
    /// `Authorization: Bearer <key>`, or the key as the name of basic authentication.
    fn check_secret_key(&self, sandbox: &Sandbox) -> Result<(), ApiError> {
        let Some(value) = self.headers.get(header::AUTHORIZATION) else {
            return Err(ApiError::unauthorised(
                "You did not provide an API key. You need to provide your API key in the \
                 Authorization header, using Bearer auth (e.g. 'Authorization: Bearer \
                 YOUR_SECRET_KEY').",
            ));
        };
        let given = value
            .to_str()
            .ok()
            .and_then(secret_key_in)
            .unwrap_or_default();
        if given == sandbox.secret_key() {
            return Ok(());
        }
        let shown: String = given.chars().take(8).collect();
        Err(ApiError::unauthorised(format!(
            "Invalid API Key provided: {shown}****"
        )))
    }

    fn idempotency_key(&self) -> Result<Option<String>, ApiError> {
        if self.method != Method::POST {
            return Ok(None);
        }
        let Some(value) = self.headers.get("idempotency-key") else {
            return Ok(None);
        };
        match value.to_str() {
            Ok(key) if key.len() <= KEY_LENGTH_MAX => {
                Ok(Some(key.to_owned()).filter(|key| !key.is_empty()))
            }
            _ => Err(ApiError::idempotency(
                400,
                "Idempotency keys can be at most 255 characters long.",
            )),
        }
    }

    fn params(&self) -> Result<Params, ApiError> {
        if self.method != Method::POST {
            return Ok(Params::parse(
                self.uri.query().unwrap_or_default().as_bytes(),
            ));
        }
        let content_type = self
            .headers
            .get(header::CONTENT_TYPE)
            .map(HeaderValue::as_bytes);
        let is_form = content_type
            .is_none_or(|value| value.starts_with(b"application/x-www-form-urlencoded"));
        if !is_form && !self.body.is_empty() {
            return Err(ApiError::invalid(
                "Invalid request (check that your POST content type is \
                 application/x-www-form-urlencoded).",
            ));
        }
        Ok(Params::parse(&self.body))
    }
}

fn secret_key_in(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    pair.split(':').next().map(str::to_owned)
}

fn scope(secret_key: &str) -> String {
    hex(&Sha256::digest(secret_key)[..8])
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
