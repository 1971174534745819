//! Long-running children: started apart from the terminal, found again by a later command, and
//! never confused with a stranger that got a recycled process id.

mod kernel;

use crate::stack::{STAGE, Stack};
use anyhow::{Context, Result, bail};
use kernel::Identity;
pub use kernel::{Signal, end_and_measure, raise_open_files, send};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Marks a child as this stack's.
const MARK: &str = "HOLDFAST_STACK_FOLDER";
const POLL: Duration = Duration::from_millis(25);

/// A user to run as, for programs that refuse root.
#[derive(Clone, Copy, Debug)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What to start, and how to stop it.
#[derive(Debug)]
pub struct Service {
    /// Names the pid file and the log.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment, but for `PATH`, `HOME` and `LANG`.
    pub env: Vec<(String, String)>,
    /// The working folder.
    pub folder: PathBuf,
    /// Another user to run as.
    pub run_as: Option<RunAs>,
    /// What asks it to stop.
    pub stop_signal: Signal,
    /// Whatever asks for a restart when it changes, besides the above.
    pub version: String,
}

/// What is written down about a started child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its process id, also the id of its session.
    pub pid: u32,
    started_ticks: u64,
    boot_id: String,
    stop_signal: Signal,
    definition: String,
}

/// Whether something had to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a new process.
    Started(u32),
    /// It was running already.
    Running(u32),
}

impl Service {
    /// A service without arguments and environment, stopped with SIGTERM.
    pub fn new(name: &'static str, program: PathBuf, folder: PathBuf) -> Self {
        Self {
            name,
            program,
            args: Vec::new(),
            env: Vec::new(),
            folder,
            run_as: None,
            stop_signal: Signal::Terminate,
            version: String::new(),
        }
    }

    /// Starts the service unless it is running as defined here; an older definition is replaced.
    ///
    /// # Errors
    /// The program cannot be started, or an older one cannot be stopped.
    pub async fn ensure(&self, stack: &Stack) -> Result<Outcome> {
        if let Some(record) = running(stack, self.name)
            && record.definition == self.definition()
        {
            return Ok(Outcome::Running(record.pid));
        }
        stop(stack, self.name).await?;
        self.start(stack).map(Outcome::Started)
    }

    fn start(&self, stack: &Stack) -> Result<u32> {
        let log = stack.log(self.name);
        let output = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("Cannot write {}.", log.display()))?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        clean_environment(&mut command);
        command
            .env(MARK, stack.folder())
            .envs(self.env.iter().map(|(k, v)| (k, v)));
        if let Some(user) = self.run_as {
            command.uid(user.uid).gid(user.gid);
        }
        kernel::in_own_session(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("Cannot start {}.", self.program.display()))?;
        self.record(stack, child.id())
    }

    fn record(&self, stack: &Stack, pid: u32) -> Result<u32> {
        let Some(identity) = Identity::of(pid) else {
            bail!(
                "`{}` ended at once. Its log: {}",
                self.name,
                stack.log(self.name).display()
            );
        };
        let record = Record {
            pid,
            started_ticks: identity.started_ticks,
            boot_id: kernel::boot_id(),
            stop_signal: self.stop_signal,
            definition: self.definition(),
        };
        stack.write_json(&record_file(self.name), &record)?;
        Ok(pid)
    }

    fn definition(&self) -> String {
        format!(
            "{:?} {:?} {:?} {}",
            self.program, self.args, self.env, self.version
        )
    }
}

/// Empties a command's environment but for what any program needs.
pub fn clean_environment(command: &mut Command) {
    command.env_clear().env("LANG", "C.UTF-8");
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// The record of a service that is running now.
pub fn running(stack: &Stack, name: &str) -> Option<Record> {
    let record = recorded(stack, name)?;
    record.is_alive().then_some(record)
}

/// The live processes of a program whose working folder is `folder`: a server and its children,
/// also those that a killed server left.
pub fn working_in(folder: &Path, program: &str) -> Vec<u32> {
    kernel::working_in(folder, program)
}

/// The live environments of a deployed function.
pub fn environments_of(stack: &Stack, function: &str) -> Vec<u32> {
    let name = format!("AWS_LAMBDA_FUNCTION_NAME=holdfast-{STAGE}-{function}");
    let folder = stack.folder();
    // Linked folders are shown by their true names.
    kernel::with_variable(&folder.canonicalize().unwrap_or(folder), &name)
}

/// Whether a process was stopped by [`Signal::Freeze`]. One that is gone is not.
pub fn is_frozen(pid: u32) -> bool {
    Identity::of(pid).is_some_and(|process| process.frozen)
}

/// Stops a service and whatever it left behind. Answers whether there was anything to stop.
///
/// # Errors
/// It outlives SIGKILL, or its record cannot be removed.
pub async fn stop(stack: &Stack, name: &str) -> Result<bool> {
    let Some(record) = recorded(stack, name) else {
        return Ok(false);
    };
    let alive = record.is_alive();
    if alive {
        kernel::send(record.pid, record.stop_signal);
        let gone = wait_until(Duration::from_secs(10), || !record.is_alive()).await;
        if !gone {
            kernel::send(record.pid, Signal::Kill);
        }
        if !gone && !wait_until(Duration::from_secs(10), || !record.is_alive()).await {
            bail!(
                "`{name}` (process {}) does not end. Stop it by hand, then try again.",
                record.pid
            );
        }
    }
    let left = end_session(stack, &record).await;
    fs::remove_file(stack.path(&record_file(name)))?;
    Ok(alive || left)
}

/// Waits until `probe` succeeds; gives up when the process ends or the time is over, and then shows
/// the end of its log.
///
/// # Errors
/// The service is not ready in time.
pub async fn wait_ready(
    stack: &Stack,
    name: &str,
    patience: Duration,
    mut probe: impl AsyncFnMut() -> bool,
) -> Result<()> {
    let begin = Instant::now();
    while !probe().await {
        let ended = running(stack, name).is_none();
        if ended || begin.elapsed() > patience {
            let what = if ended {
                "ended while starting"
            } else {
                "does not answer"
            };
            bail!(
                "`{name}` {what}. The end of {}:\n{}",
                stack.log(name).display(),
                log_end(stack, name)
            );
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The last lines of a service's log.
pub fn log_end(stack: &Stack, name: &str) -> String {
    let text = fs::read(stack.log(name)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// The names of all services that have a record, running or not.
pub fn recorded_names(stack: &Stack) -> Vec<String> {
    let Ok(entries) = fs::read_dir(stack.path("run")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            Some(
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".json")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort();
    names
}

impl Record {
    fn is_alive(&self) -> bool {
        Identity::of(self.pid).is_some_and(|now| {
            now.started_ticks == self.started_ticks
                && !now.ended
                && kernel::boot_id() == self.boot_id
        })
    }
}

fn recorded(stack: &Stack, name: &str) -> Option<Record> {
    stack.read_json(&record_file(name)).ok().flatten()
}

fn record_file(name: &str) -> String {
    format!("run/{name}.json")
}

/// A child that was killed leaves what it had started. Only processes of its session that
/// have this stack's folder in their environment are ended.
async fn end_session(stack: &Stack, record: &Record) -> bool {
    let folder = stack.folder();
    let members = || kernel::session_members(record.pid, &folder);
    let left = members();
    for pid in &left {
        kernel::send(*pid, Signal::Terminate);
    }
    if !left.is_empty() && !wait_until(Duration::from_secs(3), || members().is_empty()).await {
        members()
            .into_iter()
            .for_each(|pid| kernel::send(pid, Signal::Kill));
    }
    !left.is_empty()
}

/// Looks again and again until the condition holds or the time is over; answers whether it holds.
pub(crate) async fn wait_until(patience: Duration, condition: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !condition() {
        if begin.elapsed() > patience {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

#[cfg(test)]
mod tests;
