//! `totp`: the code that the sample admin's device would show.

use anyhow::{Context, Result};
use local::Stack;

use crate::steps::accounts;

/// Prints the code of this half minute.
///
/// # Errors
/// The stack was never up.
pub(crate) fn run(stack: &Stack) -> Result<()> {
    let accounts = accounts::read(stack)?
        .context("This stack has no accounts yet. Start it: cargo holdfast up")?;
    let [code, ..] = accounts.admin.codes()?;
    println!("{code}");
    Ok(())
}
