//! `test`: everything there is to test, against a stack of its own that is gone afterwards.

use super::{down, status, up};
use crate::progress::Progress;
use crate::steps::{build, lock};
use anyhow::{Context, Result};
use clap::Args;
use local::postgres::{self, Credentials};
use local::process::{Signal, send};
use local::stack::write_private;
use local::{Port, Stack, aws};
use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// The stack that tests run against, unless another is named.
pub(crate) const STACK: &str = "test";

/// How long the runner may take to end its tests once it is asked to.
const GRACE: Duration = Duration::from_secs(20);

/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
pub(crate) struct Options {
    /// Leaves the stack running afterwards, to look at what the tests did
    #[arg(long)]
    keep: bool,
    /// What the test runner gets: a filter, or its own options
    #[arg(last = true)]
    runner: Vec<OsString>,
}

/// Brings the stack up, runs every test, takes the stack down. Answers with the runner's code.
///
/// # Errors
/// The stack does not come up or go down, or there is no runner.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<ExitCode> {
    let _lock = lock::take_for_test(stack)?;
    let mut interruption = Interruption::listen()?;
    let outcome = up_and_test(stack, options, &mut interruption).await;
    if !options.keep {
        // Quietly, so that the runner's summary stays the last line.
        down::with_data(stack).await?;
    }
    outcome
}

async fn up_and_test(
    stack: &Stack,
    options: &Options,
    interruption: &mut Interruption,
) -> Result<ExitCode> {
    let progress = Progress::new();
    tokio::select! {
        up = up::bring_up(stack, &progress) => drop(up?),
        came = interruption.came() => {
            say(came);
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    if options.keep {
        progress.line(&format!(
            "\nThe stack stays: cargo holdfast --stack {0} status, cargo holdfast --stack {0} down --wipe",
            stack.name()
        ));
    }
    let mut child = runner(stack, &options.runner)
        .await?
        .spawn()
        .context("Cannot run cargo.")?;
    let status = tokio::select! {
        status = child.wait() => status?,
        came = interruption.came() => end(&mut child, came).await?,
    };
    Ok(exit_code(status))
}

/// The terminal has sent Ctrl-C to the runner as well; a second one would make it drop its tests.
async fn end(child: &mut Child, came: Signal) -> Result<ExitStatus> {
    say(came);
    if let Some(pid) = child.id().filter(|_| came != Signal::Interrupt) {
        send(pid, came);
    }
    match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => Ok(status?),
        Err(_) => {
            child.kill().await?;
            Ok(child.wait().await?)
        }
    }
}

fn say(came: Signal) {
    eprintln!("\nAsked to end ({came:?}); taking the stack down.");
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let Some(code) = status.code() else {
        eprintln!("\nThe test runner was ended from outside: {status}.");
        return ExitCode::from(INTERRUPTED);
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// cargo-nextest where it is installed: it runs the tests of all packages at once.
async fn runner(stack: &Stack, arguments: &[OsString]) -> Result<Command> {
    let mut probe = Command::new("cargo");
    probe
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let nextest = probe.status().await.is_ok_and(|status| status.success());
    let mut command = Command::new("cargo");
    if nextest {
        command.args(["nextest", "run", "--workspace"]);
    } else {
        command.args(["test", "--workspace", "--no-fail-fast"]);
    }
    command
        .args(arguments)
        .current_dir(stack.root())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    build::forget_our_package(&mut command);
    command
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    for (name, value) in environment(stack).await? {
        command.env(name, value);
    }
    Ok(command)
}

/// What tests find the stack by: its addresses, its database server, and the emulator for whatever
/// part of a function they run in their own process.
async fn environment(stack: &Stack) -> Result<Vec<(&'static str, OsString)>> {
    let file = stack.path("status.json");
    write_private(&file, status::json(stack)?.as_bytes())?;
    let writer = postgres::writer(stack).await?;
    let database = format!(
        "postgres://postgres:{}@127.0.0.1:{}/postgres?sslmode=disable",
        Credentials::of(stack)?.superuser_password,
        writer.port(stack)
    );
    Ok(vec![
        ("HOLDFAST_STATUS", file.into()),
        ("HOLDFAST_STACK", stack.name().into()),
        ("TEST_DATABASE_URL", database.into()),
        ("AWS_ENDPOINT_URL", stack.url(Port::Aws).into()),
        ("AWS_REGION", aws::REGION.into()),
        ("AWS_DEFAULT_REGION", aws::REGION.into()),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY.into()),
        ("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY.into()),
        // Somebody's own account must not be reached, whatever their shell says.
        ("AWS_CONFIG_FILE", "/dev/null".into()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ])
}

/// Ctrl-C, or whoever runs us asks us to end. From here on neither ends this process by itself, so
/// that the stack is always taken down.
struct Interruption {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interruption {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn came(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}
