//! Calls to the emulator that no SDK of ours is there for.

use anyhow::{Context, Result, bail};
use local::{Port, Stack, aws};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

const AWAY: &str = "The AWS emulator is not running. Remedy: cargo holdfast up";

/// Calls an operation of CloudWatch Logs.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn logs<T: DeserializeOwned>(
    stack: &Stack,
    operation: &str,
    input: &Value,
) -> Result<T> {
    let request =
        post(stack, "logs", "/").header("x-amz-target", format!("Logs_20140328.{operation}"));
    operate(request, operation, input).await
}

/// Calls an operation of EventBridge.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn event_bridge<T: DeserializeOwned>(
    stack: &Stack,
    operation: &str,
    input: &Value,
) -> Result<T> {
    let request =
        post(stack, "events", "/").header("x-amz-target", format!("AWSEvents.{operation}"));
    operate(request, operation, input).await
}

async fn operate<T: DeserializeOwned>(
    request: RequestBuilder,
    operation: &str,
    input: &Value,
) -> Result<T> {
    let request = request.header("content-type", "application/x-amz-json-1.1");
    let (status, text) = send(request.body(input.to_string())).await?;
    if !status.is_success() {
        bail!("The emulator refuses {operation}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

/// Makes SES accept a domain as sender. On AWS its owner proves it in the DNS; the emulator takes
/// their word.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn verify_sender(stack: &Stack, domain: &str) -> Result<()> {
    let input = serde_json::json!({ "EmailIdentity": domain });
    let request =
        post(stack, "ses", "/v2/email/identities").header("content-type", "application/json");
    let (status, text) = send(request.body(input.to_string())).await?;
    if !status.is_success() && !text.contains("AlreadyExists") {
        bail!("The emulator does not take {domain} as a sender: {text}");
    }
    Ok(())
}

/// Makes the emulator forget everything.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn reset(stack: &Stack) -> Result<()> {
    let (status, text) = send(post(stack, "ministack", "/_ministack/reset")).await?;
    if !status.is_success() {
        bail!("The emulator cannot be reset: {text}");
    }
    Ok(())
}

fn post(stack: &Stack, service: &str, path: &str) -> RequestBuilder {
    request(stack, Method::POST, service, path)
}

fn request(stack: &Stack, method: Method, service: &str, path: &str) -> RequestBuilder {
    reqwest::Client::new()
        .request(method, format!("{}{path}", stack.url(Port::Aws)))
        .header("authorization", aws::identity(service))
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, String)> {
    let answer = request.send().await.context(AWAY)?;
    Ok((answer.status(), answer.text().await?))
}

/// The variables that a deployed function is given.
///
/// # Errors
/// The emulator is away, or the function is not deployed.
pub(crate) async fn variables(stack: &Stack, function: &str) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Configuration {
        environment: Environment,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Environment {
        variables: BTreeMap<String, String>,
    }
    let path = format!("/2015-03-31/functions/{function}/configuration");
    let (status, text) = send(request(stack, Method::GET, "lambda", &path)).await?;
    if !status.is_success() {
        bail!("The emulator does not know {function}: {text}");
    }
    let configuration: Configuration = serde_json::from_str(&text)?;
    Ok(configuration.environment.variables)
}

/// How many messages a queue holds, those that somebody works on included.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn queued(stack: &Stack, queue_url: &str) -> Result<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        attributes: BTreeMap<String, String>,
    }
    let counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let input = serde_json::json!({ "QueueUrl": queue_url, "AttributeNames": counts });
    let request = post(stack, "sqs", "/")
        .header("x-amz-target", "AmazonSQS.GetQueueAttributes")
        .header("content-type", "application/x-amz-json-1.0");
    let (status, text) = send(request.body(input.to_string())).await?;
    if !status.is_success() {
        bail!("The emulator does not count {queue_url}: {text}");
    }
    let answer: Answer = serde_json::from_str(&text)?;
    counts
        .iter()
        .filter_map(|count| answer.attributes.get(*count))
        .map(|count| count.parse::<u64>().context("A count is no number."))
        .sum()
}

/// Runs a deployed function once; what it answers, or nothing while it may not run beside itself.
///
/// # Errors
/// The emulator is away, or the function failed.
pub(crate) async fn invoke(stack: &Stack, function: &str) -> Result<Option<Value>> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let answer = post(stack, "lambda", &path).body("{}").send().await;
    let answer = answer.context(AWAY)?;
    let (status, failed) = (
        answer.status(),
        answer.headers().contains_key("x-amz-function-error"),
    );
    let text = answer.text().await?;
    match status {
        StatusCode::TOO_MANY_REQUESTS => Ok(None),
        _ if failed || !status.is_success() => bail!("{function} failed: {text}"),
        _ => Ok(Some(serde_json::from_str(&text)?)),
    }
}

/// Reads one of the emulator's own pages.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn page<T: DeserializeOwned>(stack: &Stack, path: &str) -> Result<T> {
    let answer = reqwest::get(format!("{}{path}", stack.url(Port::Aws)))
        .await
        .context(AWAY)?;
    Ok(answer.error_for_status()?.json().await?)
}
