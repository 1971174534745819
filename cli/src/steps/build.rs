//! Builds the functions with cargo lambda.

use super::super::progress::Step;
use crate::project;
use anyhow::{Context, Result, bail};
use local::Stack;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Where a function's program ends up; the template names the same folder.
pub(crate) fn program(stack: &Stack, function: &str) -> PathBuf {
    stack
        .root()
        .join("target/lambda")
        .join(function)
        .join("bootstrap")
}

/// Builds all functions in the development profile and tells what is being compiled.
///
/// # Errors
/// The compiler's own words.
pub(crate) async fn functions(stack: &Stack, step: &Step) -> Result<String> {
    let packages = project::functions(stack)?;
    let target = Target {
        packages: &packages,
        profile: None,
        folder: None,
    };
    compile(stack, step, &target).await
}

/// What is built, how, and where to.
pub(crate) struct Target<'a> {
    /// Each has a program of its own name.
    pub(crate) packages: &'a [String],
    /// The development profile if there is none.
    pub(crate) profile: Option<&'a str>,
    /// Where the programs go; the folder that the template names if there is none.
    pub(crate) folder: Option<&'a Path>,
}

/// Builds some packages and tells what is being compiled.
///
/// # Errors
/// The compiler's own words.
pub(crate) async fn compile(stack: &Stack, step: &Step, target: &Target<'_>) -> Result<String> {
    let count = target.packages.len();
    let mut child = command(stack, target)
        .spawn()
        .context("Cannot run cargo-lambda.")?;
    let said = child.stderr.take().context("cargo-lambda says nothing.")?;
    let mut lines = BufReader::new(said).lines();
    let mut report = Vec::new();
    let mut compiled = 0_usize;
    while let Some(line) = lines.next_line().await? {
        if let Some(package) = line.trim_start().strip_prefix("Compiling ") {
            compiled += 1;
            step.say(format!("compiling {package} ({compiled})"));
        } else {
            report.push(line);
        }
    }
    if !child.wait().await?.success() {
        bail!("The functions do not build.\n{}", report.join("\n"));
    }
    Ok(match compiled {
        0 => format!("{count} functions up to date"),
        n => format!("{count} functions, {n} packages compiled"),
    })
}

fn command(stack: &Stack, target: &Target<'_>) -> Command {
    let mut command = Command::new(stack.tool("cargo-lambda"));
    command.args(["lambda", "build"]).current_dir(stack.root());
    // Built one by one, a function has only the features that it asks for itself.
    // Without `--bin`, cargo-lambda takes every program of the workspace out of the target folder,
    // this one too.
    for package in target.packages {
        command.args(["--package", package, "--bin", package]);
    }
    match target.profile {
        Some(profile) => command.args(["--profile", profile]),
        // As the tests have it, so that what is compiled for the one serves the other.
        None => command.args(["--features", "tokio/test-util"]),
    };
    if let Some(folder) = target.folder {
        command.arg("--lambda-dir").arg(folder);
    }
    command
        .env("CARGO_LAMBDA_COMPILER", "cargo")
        // cargo-lambda would install toolchains by itself; what is missing shall be an error.
        .env("RUSTUP_DIST_SERVER", "http://127.0.0.1:9")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    forget_our_package(&mut command);
    command
}

/// `cargo run` describes this package to its child; a build below must not see it.
pub(crate) fn forget_our_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_"]
            .iter()
            .any(|start| name.starts_with(start));
        if ours || name == "CARGO" {
            command.env_remove(name.as_ref());
        }
    }
}
