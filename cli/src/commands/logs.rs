//! `logs`: the functions' log lines, or the log of one process.

use crate::{emulator, project};
use anyhow::{Context, Result, bail};
use clap::Args;
use local::Stack;
use local::stack::STAGE;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Options {
    /// A function (`checkout`) or a process of the stack (`ministack`, `postgres-primary`, `build`)
    name: Option<String>,
    /// Goes on showing new lines
    #[arg(long, short)]
    follow: bool,
}

/// Prints the lines.
///
/// # Errors
/// There is nothing of that name, or the emulator is away.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let functions = project::functions(stack)?;
    let chosen = match &options.name {
        None => functions,
        Some(name) if functions.contains(name) => vec![name.clone()],
        Some(name) => return process_log(stack, name, options.follow).await,
    };
    let mut reader = Reader::new(chosen);
    loop {
        reader.print_new(stack).await?;
        if !options.follow {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Reader {
    functions: Vec<String>,
    since_ms: i64,
    seen: HashSet<Event>,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
}

#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    log_stream_name: String,
    timestamp: i64,
    message: String,
}

impl Reader {
    fn new(functions: Vec<String>) -> Self {
        Self {
            functions,
            since_ms: 0,
            seen: HashSet::new(),
        }
    }

    async fn print_new(&mut self, stack: &Stack) -> Result<()> {
        let mut fresh: Vec<(String, Event)> = Vec::new();
        for function in &self.functions {
            for event in events(stack, function, self.since_ms).await? {
                if self.seen.insert(event.clone()) {
                    fresh.push((function.clone(), event));
                }
            }
        }
        fresh.sort_by_key(|(_, event)| event.timestamp);
        let mut out = io::stdout().lock();
        for (function, event) in &fresh {
            writeln!(out, "{function:<13} {}", event.message.trim_end())?;
        }
        // Lines of the last seconds may still come in late, from another function.
        if let Some((_, newest)) = fresh.last() {
            self.since_ms = newest.timestamp - 5_000;
            self.seen.retain(|event| event.timestamp >= self.since_ms);
        }
        Ok(())
    }
}

/// The lines of a function since a time, in milliseconds since the epoch; oldest first.
///
/// # Errors
/// The emulator is away or refuses.
pub(crate) async fn lines(stack: &Stack, function: &str, since_ms: i64) -> Result<Vec<String>> {
    let events = events(stack, function, since_ms).await?;
    Ok(events.into_iter().map(|event| event.message).collect())
}

async fn events(stack: &Stack, function: &str, since_ms: i64) -> Result<Vec<Event>> {
    let input = json!({ "logGroupName": format!("/aws/lambda/holdfast-{STAGE}-{function}"), "startTime": since_ms });
    let page: Result<Page> = emulator::logs(stack, "FilterLogEvents", &input).await;
    match page {
        Ok(page) => Ok(page.events),
        // A function that was never deployed has no lines.
        Err(error) if error.to_string().contains("ResourceNotFoundException") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn process_log(stack: &Stack, name: &str, follow: bool) -> Result<()> {
    let path = stack.log(name);
    if name.contains('/') || !path.is_file() {
        bail!(
            "There is no function and no process `{name}`. There are: {}",
            known(stack)?.join(", ")
        );
    }
    let mut file = File::open(&path).with_context(|| format!("Cannot read {}.", path.display()))?;
    loop {
        io::copy(&mut file, &mut io::stdout().lock())?;
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn known(stack: &Stack) -> Result<Vec<String>> {
    let mut names = project::functions(stack)?;
    let entries = std::fs::read_dir(stack.path("logs"))
        .into_iter()
        .flatten()
        .flatten();
    names.extend(entries.filter_map(|entry| {
        let name = entry.file_name();
        Path::new(&name)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    }));
    Ok(names)
}
