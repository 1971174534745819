//! The long-lived servers beside the database.

use anyhow::{Context, Result};
use local::process::{Outcome, Service, wait_ready};
use local::stack::write_private;
use local::{Port, Stack, aws, faults, smtp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// The process name of the front.
pub(crate) const FRONT: &str = "front";
/// The process name of the payment sandbox.
pub(crate) const PAYMENTS: &str = "payments";
/// The file that tells the front which API to pass requests to.
pub(crate) const API_ID_FILE: &str = "api-id";

/// Starts the emulators, the mail sink, the payment sandbox, the front and the fault proxy, at the
/// same time.
///
/// # Errors
/// One of them does not start.
pub(crate) async fn start(stack: &Stack) -> Result<String> {
    let own = own_program(stack)?;
    let outcomes: [Outcome; 6] = futures::try_join!(
        aws::ensure(stack),
        aws::ensure_secondary(stack),
        smtp::ensure(stack),
        own_server(stack, PAYMENTS, Port::Payments, &own),
        own_server(stack, FRONT, Port::Front, &own),
        own_server(stack, faults::NAME, Port::Faults, &own),
    )?
    .into();
    let started = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Started(_)))
        .count();
    Ok(match started {
        0 => "6 servers running".into(),
        n => format!("{n} of 6 servers started"),
    })
}

/// Servers of our own are this very program under another command.
async fn own_server(
    stack: &Stack,
    name: &'static str,
    port: Port,
    own: &OwnProgram,
) -> Result<Outcome> {
    let mut service = Service::new(name, own.path.clone(), stack.root().into());
    service.args = [
        "serve".into(),
        name.into(),
        "--stack".into(),
        stack.name().into(),
    ]
    .into();
    service.args.push("--port-base".into());
    service
        .args
        .push(stack.port(Port::Front).to_string().into());
    // A newer build replaces the server.
    service.version.clone_from(&own.digest);
    let outcome = service.ensure(stack).await?;
    let address = ("127.0.0.1", stack.port(port));
    let probe = async || tokio::net::TcpStream::connect(address).await.is_ok();
    wait_ready(stack, name, Duration::from_secs(20), probe).await?;
    Ok(outcome)
}

struct OwnProgram {
    path: PathBuf,
    digest: String,
}

/// A copy in the stack's folder: the next build takes the file away that this process came from.
fn own_program(stack: &Stack) -> Result<OwnProgram> {
    let path = stack.path("holdfast");
    let bytes = fs::read("/proc/self/exe").context("This program cannot be read.")?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let note = stack.path("holdfast.digest");
    if !path.is_file() || fs::read_to_string(&note).ok().as_ref() != Some(&digest) {
        write_private(&path, &bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        write_private(&note, digest.as_bytes())?;
    }
    Ok(OwnProgram { path, digest })
}

/// The keys of the sandbox, as the shop's secret holds them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PaymentKeys {
    /// What the shop authenticates with.
    pub secret_key: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
}

/// Reads the stack's payment keys, or makes them.
///
/// # Errors
/// The file is damaged or cannot be written.
pub(crate) fn payment_keys(stack: &Stack) -> Result<PaymentKeys> {
    const FILE: &str = "payment-keys.json";
    if let Some(known) = stack.read_json(FILE)? {
        return Ok(known);
    }
    let keys = PaymentKeys {
        secret_key: format!("sk_test_{}", local::postgres::password()),
        webhook_secret: format!("whsec_{}", local::postgres::password()),
    };
    stack.write_json(FILE, &keys)?;
    Ok(keys)
}
