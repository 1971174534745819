//! `openapi`: writes the contract down from the code of all HTTP functions.

use anyhow::{Context, Result, bail};
use local::Stack;
use tokio::process::Command;

use crate::steps::build::forget_our_package;

/// Writes `docs/openapi.json`. The program that does it is built with the functions,
/// which this command line does without.
///
/// # Errors
/// It does not build, or the file cannot be written.
pub(crate) async fn run(stack: &Stack) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["run", "--quiet", "--package", "tests", "--bin", "openapi"])
        .current_dir(stack.root());
    forget_our_package(&mut command);
    let status = command.status().await.context("Cannot run cargo.")?;
    if !status.success() {
        bail!("The contract was not written.");
    }
    Ok(())
}
