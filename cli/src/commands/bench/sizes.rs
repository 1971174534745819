//! How large the programs are, plain and packed.

use super::subjects::HELLO;
use anyhow::{Context, Result, bail};
use local::Stack;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tokio::process::Command;

/// The most that a package should have.
pub(super) const ZIP_BYTES_MAX: u64 = 5_000_000;

/// One program.
#[derive(Serialize)]
pub(super) struct Size {
    pub(super) function: String,
    #[serde(flatten)]
    pub(super) bytes: Bytes,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Bytes {
    pub(super) program_bytes: u64,
    /// As a zip, deflated at its best.
    pub(super) zip_bytes: u64,
}

/// Measures the hello-world and some functions.
///
/// # Errors
/// A program cannot be read.
pub(super) async fn measure(
    stack: &Stack,
    folder: &Path,
    functions: &[String],
) -> Result<Vec<Size>> {
    let names: Vec<&str> = std::iter::once(HELLO)
        .chain(functions.iter().map(String::as_str))
        .collect();
    let output = Command::new(stack.tool("python"))
        .arg(stack.root().join("local/zip_sizes.py"))
        .args(names.iter().map(|name| folder.join(name).join("bootstrap")))
        .kill_on_drop(true)
        .output()
        .await
        .context("Cannot run Python.")?;
    if !output.status.success() {
        bail!(
            "local/zip_sizes.py failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let sizes: Vec<Bytes> = serde_json::from_slice(&output.stdout)?;
    let named = names.into_iter().zip(sizes);
    Ok(named
        .map(|(name, bytes)| Size {
            function: name.into(),
            bytes,
        })
        .collect())
}
