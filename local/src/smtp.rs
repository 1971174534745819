//! The SMTP sink: takes any mail and keeps it in a mailbox folder.

use crate::process::{Outcome, Service, wait_ready};
use crate::stack::{Port, Stack};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// Its process name.
pub const NAME: &str = "smtp";

/// The Maildir that received mail is in.
pub fn mailbox(stack: &Stack) -> PathBuf {
    stack.path("mail")
}

/// Starts the sink if need be and waits until it greets.
///
/// # Errors
/// It does not start.
pub async fn ensure(stack: &Stack) -> Result<Outcome> {
    let mut service = Service::new(NAME, stack.tool("python"), stack.folder());
    service.args = [
        "-m",
        "aiosmtpd",
        "--nosetuid",
        "--class",
        "aiosmtpd.handlers.Mailbox",
        "--listen",
    ]
    .map(Into::into)
    .to_vec();
    service
        .args
        .push(format!("127.0.0.1:{}", stack.port(Port::Smtp)).into());
    service.args.push(mailbox(stack).into());
    let outcome = service.ensure(stack).await?;
    let address = ("127.0.0.1", stack.port(Port::Smtp));
    let probe = async || tokio::net::TcpStream::connect(address).await.is_ok();
    wait_ready(stack, NAME, Duration::from_secs(30), probe).await?;
    Ok(outcome)
}
