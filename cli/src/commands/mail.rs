//! `mail`: what was sent.
use anyhow::{Result, bail};
use clap::Args;
use local::Stack;

#[derive(Args)]
pub struct Options {
    /// The number or the id of a mail
    id: Option<String>,
}

/// Lists the mails, or shows one.
///
/// # Errors
/// No such mail.
pub async fn run(_stack: &Stack, _options: &Options) -> Result<()> {
    bail!("")
}
