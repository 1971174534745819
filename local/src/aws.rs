//! The AWS emulator: MiniStack with the project's patches, as one child process.

use crate::process::{Service, wait_ready};
use crate::stack::{Port, Stack};
use crate::tools;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Its process name.
pub const NAME: &str = "ministack";
/// The account that everything local belongs to.
pub const ACCOUNT: &str = "000000000000";
/// The region that everything local is in.
pub const REGION: &str = "eu-central-1";
/// The access key of the account's root, whom no policy restricts.
pub const ACCESS_KEY: &str = "test";
/// Its secret half.
pub const SECRET_KEY: &str = "test";

/// Describes the emulator as a child process. Its launcher sets the environment, which the functions
/// inherit.
///
/// # Errors
/// The launcher cannot be read.
pub fn service(stack: &Stack) -> Result<Service> {
    let folder = stack.root().join("local/aws");
    let mut service = Service::new(NAME, stack.tool("python"), stack.folder());
    service.args = vec![
        folder.join("emulator.py").into(),
        stack.port(Port::Aws).to_string().into(),
        state_folder(stack).into(),
        REGION.into(),
    ];
    service.env = vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())];
    service.version = format!("{} {}", tools::version(stack)?, digest_of_sources(&folder)?);
    Ok(service)
}

/// Where the emulator keeps what must outlive it.
pub fn state_folder(stack: &Stack) -> PathBuf {
    stack.path("aws")
}

/// Changes with any of the emulator's patches, which it reads only when it starts.
fn digest_of_sources(folder: &Path) -> Result<String> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} is missing.", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|ending| ending == "py"));
    sources.sort();
    let mut digest = Sha256::new();
    for source in sources {
        digest.update(fs::read(&source)?);
    }
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Starts the emulator if need be and waits until it answers.
///
/// # Errors
/// It does not start.
pub async fn ensure(stack: &Stack) -> Result<crate::process::Outcome> {
    fs::create_dir_all(state_folder(stack))?;
    let outcome = service(stack)?.ensure(stack).await?;
    let client = reqwest::Client::new();
    let health = format!("{}/_ministack/health", stack.url(Port::Aws));
    let probe = async || {
        client
            .get(&health)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    };
    wait_ready(stack, NAME, Duration::from_secs(60), probe).await?;
    Ok(outcome)
}
