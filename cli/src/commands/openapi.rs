//! `openapi`: writes the contract down from the code of all HTTP functions.

use anyhow::{Context, Result, bail};
use local::Stack;
use tokio::process::Command;

use crate::steps::build::forget_our_package;

/// Has the test binary, which holds all functions' routers, write `docs/openapi.json`.
///
/// # Errors
/// It does not build, or the file cannot be written.
pub(crate) async fn run(stack: &Stack) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args([
            "test",
            "--quiet",
            "--package",
            "tests",
            "--test",
            "it",
            "committed_contract",
        ])
        .env("HOLDFAST_WRITE_OPENAPI", "1")
        .current_dir(stack.root());
    forget_our_package(&mut command);
    let status = command.status().await.context("Cannot run cargo.")?;
    if !status.success() {
        bail!("The contract was not written.");
    }
    Ok(())
}
