//! `totp`: the code that the sample admin's device would show.

use anyhow::Result;
use local::Stack;

use crate::steps::accounts;

/// Prints the code of this half minute.
///
/// # Errors
/// The stack was never up.
pub(crate) fn run(stack: &Stack) -> Result<()> {
    let [code, ..] = accounts::made(stack)?.admin.codes()?;
    println!("{code}");
    Ok(())
}
