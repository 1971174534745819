//! The pinned Python tools, in a virtual environment of the project's own.

use crate::stack::{Stack, write_private};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use tokio::process::Command;

/// What the environment was made from; it is made anew when that changes.
const NOTE: &str = "made-from";

/// Whether the tools are there as the project's list asks.
pub fn ready(stack: &Stack) -> bool {
    let note = fs::read_to_string(stack.venv().join(NOTE)).unwrap_or_default();
    version(stack).is_ok_and(|version| version == note)
}

/// Names the set of tools: changes whenever the list does.
///
/// # Errors
/// The list cannot be read.
pub fn version(stack: &Stack) -> Result<String> {
    let list = requirements(stack);
    let text = fs::read(&list).with_context(|| format!("{} is missing.", list.display()))?;
    Ok(Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Makes the virtual environment and installs the tools. Answers whether there was anything to do.
///
/// # Errors
/// Python or pip fails; the message ends with what they said.
pub async fn ensure(stack: &Stack) -> Result<bool> {
    if ready(stack) {
        return Ok(false);
    }
    let venv = stack.venv();
    if venv.exists() {
        fs::remove_dir_all(&venv).with_context(|| format!("Cannot clear {}.", venv.display()))?;
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&venv);
    run(make, "python3 -m venv").await?;
    install(stack, &["-r".into(), requirements(stack)]).await?;
    write_private(&venv.join(NOTE), version(stack)?.as_bytes())?;
    Ok(true)
}

/// Installs more packages into the virtual environment.
///
/// # Errors
/// pip fails; the message ends with what it said.
pub async fn install(stack: &Stack, what: &[PathBuf]) -> Result<()> {
    let mut pip = Command::new(stack.tool("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ])
    .args(what);
    run(pip, "pip install").await
}

fn requirements(stack: &Stack) -> PathBuf {
    stack.root().join("local/aws/requirements.txt")
}

async fn run(mut command: Command, what: &str) -> Result<()> {
    // Somebody's active environment must not leak into ours.
    command
        .env_remove("VIRTUAL_ENV")
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME");
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("Cannot run {what}."))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        bail!(
            "{what} failed:\n{}",
            lines[lines.len().saturating_sub(15)..].join("\n")
        );
    }
    Ok(())
}
