//! `down`: stops what `up` started, and nothing else.

use crate::progress::Progress;
use crate::steps::lock;
use anyhow::{Context, Result};
use clap::Args;
use local::postgres::{self, Node};
use local::{Stack, process};
use std::fs;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// Also removes the stack's data, keys, mails and logs
    #[arg(long)]
    wipe: bool,
}

/// Stops the stack.
///
/// # Errors
/// A process does not end, or the data cannot be removed.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    if !stack.folder().exists() {
        println!("The stack `{}` has never been started.", stack.name());
        return Ok(());
    }
    let lock = lock::take(stack)?;
    let progress = Progress::new();
    progress
        .step("stop", async |_| Ok(((), stop_all(stack).await?)))
        .await?;
    if options.wipe {
        progress
            .step("wipe", async |_| Ok(((), wipe(stack)?)))
            .await?;
    }
    drop(lock);
    Ok(())
}

/// Stops the stack and removes its data, without a word.
///
/// # Errors
/// A process does not end, or the data cannot be removed.
pub(crate) async fn with_data(stack: &Stack) -> Result<()> {
    if !stack.folder().exists() {
        return Ok(());
    }
    let lock = lock::take(stack)?;
    stop_all(stack).await?;
    wipe(stack)?;
    drop(lock);
    Ok(())
}

/// Whatever calls the database ends before it.
async fn stop_all(stack: &Stack) -> Result<String> {
    let nodes = Node::ALL.map(Node::process);
    let mut stopped = 0;
    for name in process::recorded_names(stack) {
        if !nodes.contains(&name.as_str()) {
            stopped += usize::from(process::stop(stack, &name).await?);
        }
    }
    stopped += postgres::signals::stop_all(stack).await?;
    Ok(match stopped {
        0 => "nothing was running".into(),
        n => format!("{n} processes stopped"),
    })
}

fn wipe(stack: &Stack) -> Result<String> {
    let data = postgres::data_root(stack);
    for folder in [data, stack.folder()] {
        remove(&folder)?;
    }
    Ok("data removed".into())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Cannot remove {}.", folder.display()))
        }
        _ => Ok(()),
    }
}
