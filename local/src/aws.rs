//! The AWS emulator: MiniStack with the project's patches, as one child process; and a second one
//! that plays another region.

use crate::process::{Outcome, Service, wait_ready};
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
/// The process name of the emulator that plays the other region.
pub const SECONDARY_NAME: &str = "ministack-secondary";
/// The other region.
pub const SECONDARY_REGION: &str = "eu-west-1";
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
    emulator(stack, NAME, Port::Aws, &state_folder(stack), &[REGION])
}

/// Describes the emulator of the other region. The roles of functions live in the first one, so
/// here every key is good.
fn secondary(stack: &Stack) -> Result<Service> {
    let state = secondary_state_folder(stack);
    let arguments = [SECONDARY_REGION, "open"];
    emulator(
        stack,
        SECONDARY_NAME,
        Port::AwsSecondary,
        &state,
        &arguments,
    )
}

fn emulator(
    stack: &Stack,
    name: &'static str,
    port: Port,
    state: &Path,
    arguments: &[&str],
) -> Result<Service> {
    let folder = stack.root().join("local/aws");
    let mut service = Service::new(name, stack.tool("python"), stack.folder());
    service.args = vec![
        folder.join("emulator.py").into(),
        stack.port(port).to_string().into(),
        state.into(),
    ];
    service.args.extend(arguments.iter().map(Into::into));
    service.env = vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())];
    service.version = format!("{} {}", tools::version(stack)?, digest_of_sources(&folder)?);
    Ok(service)
}

/// Where the emulator keeps what must outlive it.
pub fn state_folder(stack: &Stack) -> PathBuf {
    stack.path("aws")
}

fn secondary_state_folder(stack: &Stack) -> PathBuf {
    stack.path("aws-secondary")
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
pub async fn ensure(stack: &Stack) -> Result<Outcome> {
    fs::create_dir_all(state_folder(stack))?;
    start(stack, &service(stack)?, NAME, Port::Aws).await
}

/// Starts the emulator of the other region if need be and waits until it answers.
///
/// # Errors
/// It does not start.
pub async fn ensure_secondary(stack: &Stack) -> Result<Outcome> {
    fs::create_dir_all(secondary_state_folder(stack))?;
    let service = secondary(stack)?;
    start(stack, &service, SECONDARY_NAME, Port::AwsSecondary).await
}

/// The account's root, as a request to the emulator names it in `authorization`. The emulator looks
/// only at whose key it is, so there is a name and no signature.
pub fn identity(service: &str) -> String {
    let credential = format!("{ACCESS_KEY}/20260101/{REGION}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
}

async fn start(stack: &Stack, service: &Service, name: &str, port: Port) -> Result<Outcome> {
    let outcome = service.ensure(stack).await?;
    let client = reqwest::Client::new();
    let health = format!("{}/_ministack/health", stack.url(port));
    let probe = async || {
        client
            .get(&health)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    };
    wait_ready(stack, name, Duration::from_secs(60), probe).await?;
    Ok(outcome)
}
