//! The long-lived servers beside the database.

use anyhow::{Context, Result};
use local::process::{Outcome, Service, wait_ready};
use local::{Port, Stack, aws, smtp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The process name of the front.
pub(crate) const FRONT: &str = "front";
/// The process name of the payment sandbox.
pub(crate) const PAYMENTS: &str = "payments";
/// The file that tells the front which API to pass requests to.
pub(crate) const API_ID_FILE: &str = "api-id";

/// Starts the emulator, the mail sink, the payment sandbox and the front, at the same time.
///
/// # Errors
/// One of them does not start.
pub(crate) async fn start(stack: &Stack) -> Result<String> {
    let outcomes = futures::future::try_join4(
        aws::ensure(stack),
        smtp::ensure(stack),
        own_server(stack, PAYMENTS, Port::Payments),
        own_server(stack, FRONT, Port::Front),
    );
    let outcomes: [Outcome; 4] = outcomes.await?.into();
    let started = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Outcome::Started(_)))
        .count();
    Ok(match started {
        0 => "4 servers running".into(),
        n => format!("{n} of 4 servers started"),
    })
}

/// Servers of our own are this very program under another command.
async fn own_server(stack: &Stack, name: &'static str, port: Port) -> Result<Outcome> {
    let program = std::env::current_exe().context("This program's file is gone.")?;
    let built = std::fs::metadata(&program)?.modified()?;
    let mut service = Service::new(name, program, stack.root().into());
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
    service.version = format!("{built:?}");
    let outcome = service.ensure(stack).await?;
    let address = ("127.0.0.1", stack.port(port));
    let probe = async || tokio::net::TcpStream::connect(address).await.is_ok();
    wait_ready(stack, name, Duration::from_secs(20), probe).await?;
    Ok(outcome)
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
