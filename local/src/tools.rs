//! The pinned Python tools, in a virtual environment of the project's own.

use crate::stack::{Stack, write_private};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// What the environment was made from; it is made anew when that changes.
const NOTE: &str = "made-from";

/// Between two looks whether another command is done with it.
const PAUSE: Duration = Duration::from_millis(200);

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
/// The environment is every stack's: while another command makes it, this one waits.
///
/// # Errors
/// Python or pip fails; the message ends with what they said.
pub async fn ensure(stack: &Stack) -> Result<bool> {
    if ready(stack) {
        return Ok(false);
    }
    let venv = stack.venv();
    let _turn = turn(&venv.with_extension("lock")).await?;
    if ready(stack) {
        return Ok(false);
    }
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

/// Held by whoever makes the environment; the system releases it however that ends.
async fn turn(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
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
