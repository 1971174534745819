//! Calls to the emulator that no SDK of ours is there for.

use anyhow::{Context, Result, bail};
use local::{Port, Stack, aws};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Calls an operation of CloudWatch Logs. The emulator looks only at whose key it is, so the
/// request carries a name and no signature.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn logs<T: DeserializeOwned>(
    stack: &Stack,
    operation: &str,
    input: &Value,
) -> Result<T> {
    let credential = format!(
        "{}/20260101/{}/logs/aws4_request",
        aws::ACCESS_KEY,
        aws::REGION
    );
    let answer = reqwest::Client::new()
        .post(stack.url(Port::Aws))
        .header("x-amz-target", format!("Logs_20140328.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
        )
        .body(input.to_string())
        .send()
        .await
        .context("The AWS emulator is not running. Remedy: cargo holdfast up")?;
    if !answer.status().is_success() {
        bail!("The emulator refuses {operation}: {}", answer.text().await?);
    }
    Ok(answer.json().await?)
}

/// Reads one of the emulator's own pages.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn page<T: DeserializeOwned>(stack: &Stack, path: &str) -> Result<T> {
    let answer = reqwest::get(format!("{}{path}", stack.url(Port::Aws)))
        .await
        .context("The AWS emulator is not running. Remedy: cargo holdfast up")?;
    Ok(answer.error_for_status()?.json().await?)
}
