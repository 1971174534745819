//! What a dependency says when it fails or has too much to do, in its own words.

use super::dependency::Service;
use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// The service failed.
pub(super) fn failed(service: Service, _request: &Parts) -> Response {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let message = "The request processing has failed because of an unknown error.";
    match service {
        Service::DynamoDb => {
            let kind = "com.amazonaws.dynamodb.v20120810#InternalServerError";
            typed(status, JSON_1_0, kind, message)
        }
        Service::Sqs => typed(
            status,
            JSON_1_0,
            "com.amazonaws.sqs#InternalFailure",
            message,
        ),
        Service::SecretsManager => typed(status, JSON_1_1, "InternalServiceError", message),
        Service::Ses => rest(status, "InternalServiceErrorException", message),
        Service::S3 => xml(
            status,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        Service::Stripe => stripe(status, &json!({"type": "api_error", "message": message})),
    }
}

/// The caller asks too often.
pub(super) fn throttled(service: Service, request: &Parts) -> Response {
    let status = StatusCode::BAD_REQUEST;
    let throttling = "ThrottlingException";
    let message = "Rate exceeded";
    match service {
        Service::DynamoDb if is_about_items(request) => {
            let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
            let message =
                "The level of configured provisioned throughput for the table was exceeded.";
            typed(status, JSON_1_0, kind, message)
        }
        Service::DynamoDb => {
            let kind = "com.amazon.coral.availability#ThrottlingException";
            typed(status, JSON_1_0, kind, message)
        }
        Service::Sqs => typed(status, JSON_1_0, throttling, message),
        Service::SecretsManager => typed(status, JSON_1_1, throttling, message),
        Service::Ses => rest(StatusCode::TOO_MANY_REQUESTS, throttling, message),
        Service::S3 => xml(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Please reduce your request rate.",
        ),
        Service::Stripe => stripe(
            StatusCode::TOO_MANY_REQUESTS,
            &json!({"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}),
        ),
    }
}

/// Only reading and writing items uses up a table's throughput.
fn is_about_items(request: &Parts) -> bool {
    let target = request.headers.get("x-amz-target");
    let operation = target.and_then(|target| target.to_str().ok()?.split_once('.'));
    operation.is_some_and(|(_, name)| name.contains("Item") || ["Query", "Scan"].contains(&name))
}

fn typed(status: StatusCode, content_type: &'static str, kind: &str, message: &str) -> Response {
    let body = json!({"__type": kind, "message": message});
    response(status, content_type, body.to_string())
}

/// The kind of error is in a header, as in services with paths and methods of their own.
fn rest(status: StatusCode, kind: &'static str, message: &str) -> Response {
    let body = json!({"message": message}).to_string();
    let mut response = response(status, "application/json", body);
    response
        .headers_mut()
        .insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

fn xml(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    response(status, "application/xml", body)
}

fn stripe(status: StatusCode, error: &Value) -> Response {
    let body = json!({"error": error}).to_string();
    response(status, "application/json", body)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
