//! `check`: whether CloudFormation would take the template, and the database what it asks for.

use crate::progress::Progress;
use crate::steps::budget;
use anyhow::{Context, Result, bail};
use local::{Stack, tools};
use tokio::process::Command;

/// Validates the template with the pinned cfn-lint, which needs no network.
///
/// # Errors
/// What it finds.
pub(crate) async fn run(stack: &Stack) -> Result<()> {
    let progress = Progress::new();
    progress
        .step("tools", async |step| {
            step.say("installing the pinned tools".into());
            let installed = tools::ensure(stack).await?;
            let words = if installed {
                "installed"
            } else {
                "installed already"
            };
            Ok(((), words.into()))
        })
        .await?;
    progress
        .step("template", async |_| Ok(((), validate(stack).await?)))
        .await?;
    progress
        .step("connections", async |_| Ok(((), connections(stack)?)))
        .await
}

fn connections(stack: &Stack) -> Result<String> {
    let template = std::fs::read_to_string(stack.root().join("template.yaml"))
        .context("Cannot read template.yaml.")?;
    budget::of(&template)?.check()
}

async fn validate(stack: &Stack) -> Result<String> {
    let output = Command::new(stack.tool("cfn-lint"))
        .args(["--format", "parseable", "--", "template.yaml"])
        .current_dir(stack.root())
        .output()
        .await
        .context("Cannot run cfn-lint.")?;
    if !output.status.success() {
        bail!(
            "cfn-lint refuses the template:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok("template.yaml is valid".into())
}
