//! Deploys `template.yaml`, the one that production uses, to the emulator.

use super::build;
use super::services::API_ID_FILE;
use crate::progress::Step;
use crate::project;
use anyhow::{Context, Result, bail};
use local::postgres::{DATABASE, Node};
use local::stack::{STAGE, write_private};
use local::{Port, Stack, aws, process};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PACKAGES: &str = "holdfast-packages";
const NOTE: &str = "deployed";

/// Deploys if the template, a parameter, a function or the emulator changed.
///
/// # Errors
/// The words of the tool that failed.
pub(crate) async fn application(stack: &Stack, step: &Step) -> Result<String> {
    let wanted = fingerprint(stack)?;
    if fs::read_to_string(stack.path(NOTE)).is_ok_and(|done| done == wanted) {
        return Ok("nothing changed".into());
    }
    fs::remove_file(stack.path(NOTE)).ok();
    step.say("packaging".into());
    for function in project::functions(stack)? {
        strip(&build::program(stack, &function));
    }
    package(stack).await?;
    settle(stack).await?;
    step.say("deploying".into());
    deploy(stack).await?;
    let api_id = output(stack, "ApiId").await?;
    write_private(&stack.path(API_ID_FILE), api_id.as_bytes())?;
    write_private(&stack.path(NOTE), wanted.as_bytes())?;
    Ok(format!("stack {} deployed", stack_name()))
}

/// What is different locally. Everything else is the template's default.
fn parameters(stack: &Stack) -> Vec<(&'static str, String)> {
    let hosts = Node::ALL
        .map(|node| format!("127.0.0.1:{}", node.port(stack)))
        .join(",");
    let emulator = stack.url(Port::Aws);
    vec![
        ("Stage", STAGE.into()),
        ("DbHosts", hosts),
        ("DbName", DATABASE.into()),
        ("DbSslMode", "disable".into()),
        ("StripeBaseUrl", stack.url(Port::Payments)),
        ("TokenIssuer", stack.url(Port::Front)),
        ("ShopUrl", stack.url(Port::Front)),
        ("MailFrom", "Holdfast <shop@holdfast.example>".into()),
        ("MailIdentity", "holdfast.example".into()),
        ("CorsAllowedOrigins", stack.url(Port::Front)),
        (
            "MediaBaseUrl",
            format!("{emulator}/holdfast-{STAGE}-media-{}", aws::ACCOUNT),
        ),
        ("MediaUploadUrl", emulator.clone()),
        ("AwsEndpointUrl", emulator),
    ]
}

fn stack_name() -> String {
    format!("holdfast-{STAGE}")
}

/// Of everything that a deployment depends on. The emulator is part of it: a new one may have
/// forgotten what was deployed.
fn fingerprint(stack: &Stack) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(fs::read(template(stack)).context("template.yaml is missing.")?);
    digest.update(format!("{:?}", parameters(stack)));
    for function in project::functions(stack)? {
        let program = build::program(stack, &function);
        let bytes =
            fs::read(&program).with_context(|| format!("{} was not built.", program.display()))?;
        digest.update(function);
        digest.update(Sha256::digest(&bytes));
    }
    let emulator =
        process::running(stack, aws::NAME).context("The AWS emulator is not running.")?;
    digest.update(format!("{emulator:?}"));
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn template(stack: &Stack) -> PathBuf {
    stack.root().join("template.yaml")
}

fn packaged(stack: &Stack) -> PathBuf {
    stack.path("packaged.yaml")
}

/// Half of an unoptimised program is names for a debugger, which would be packed and unpacked too.
/// It is a saving only, so a machine without `strip` does without.
fn strip(program: &Path) {
    Command::new("strip")
        .arg(program)
        .stderr(Stdio::null())
        .status()
        .ok();
}

/// An interrupted run may have left a deployment under way, or one that failed and blocks the name.
async fn settle(stack: &Stack) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const USELESS: [&str; 4] = [
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
        "DELETE_FAILED",
    ];
    let begin = Instant::now();
    loop {
        let status = status(stack).await;
        let under_way = status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS";
        if under_way && begin.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        if under_way || USELESS.contains(&status.as_str()) {
            let name = stack_name();
            tool(
                stack,
                &["cloudformation", "delete-stack", "--stack-name", &name],
            )
            .await?;
            tool(
                stack,
                &[
                    "cloudformation",
                    "wait",
                    "stack-delete-complete",
                    "--stack-name",
                    &name,
                ],
            )
            .await?;
        }
        return Ok(());
    }
}

/// Of the deployment; empty if there was none yet.
async fn status(stack: &Stack) -> String {
    let name = stack_name();
    let query = "Stacks[0].StackStatus";
    let arguments = [
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        &name,
        "--query",
        query,
        "--output",
        "text",
    ];
    tool(stack, &arguments)
        .await
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

async fn package(stack: &Stack) -> Result<()> {
    let bucket = format!("s3://{PACKAGES}");
    if tool(stack, &["s3", "ls", &bucket]).await.is_err() {
        tool(stack, &["s3", "mb", &bucket]).await?;
    }
    let (template, packaged) = (template(stack), packaged(stack));
    tool(
        stack,
        &[
            "cloudformation",
            "package",
            "--template-file",
            &template.to_string_lossy(),
            "--s3-bucket",
            PACKAGES,
            "--output-template-file",
            &packaged.to_string_lossy(),
        ],
    )
    .await
    .map(drop)
}

async fn deploy(stack: &Stack) -> Result<()> {
    let packaged = packaged(stack);
    let name = stack_name();
    let overrides: Vec<String> = parameters(stack)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let packaged = packaged.to_string_lossy();
    let mut arguments = vec![
        "cloudformation",
        "deploy",
        "--stack-name",
        &name,
        "--template-file",
        &packaged,
        "--no-fail-on-empty-changeset",
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--parameter-overrides",
    ];
    arguments.extend(overrides.iter().map(String::as_str));
    if let Err(error) = tool(stack, &arguments).await {
        bail!("{error:#}\n{}", reasons(stack).await);
    }
    Ok(())
}

/// Why resources could not be made, which the deploying command does not say.
async fn reasons(stack: &Stack) -> String {
    let name = stack_name();
    let query =
        "StackEvents[?contains(ResourceStatus,'FAILED')].[LogicalResourceId,ResourceStatusReason]";
    let arguments = [
        "cloudformation",
        "describe-stack-events",
        "--stack-name",
        &name,
        "--query",
        query,
        "--output",
        "text",
    ];
    tool(stack, &arguments).await.unwrap_or_default()
}

async fn output(stack: &Stack, key: &str) -> Result<String> {
    let name = stack_name();
    let query = format!("Stacks[0].Outputs[?OutputKey=='{key}'].OutputValue");
    let arguments = [
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        &name,
        "--query",
        &query,
        "--output",
        "text",
    ];
    let value = tool(stack, &arguments).await?;
    if value.trim().is_empty() || value.trim() == "None" {
        bail!("The template has no output {key}.");
    }
    Ok(value.trim().into())
}

/// Runs the AWS command line against the emulator, and against nothing else: neither the caller's
/// profile nor their credentials are read.
async fn tool(stack: &Stack, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(stack.tool("aws"));
    process::clean_environment(&mut command);
    command
        .args(["--endpoint-url", &stack.url(Port::Aws)])
        .args(arguments)
        // `cloudformation package` uploads with a client that does not see the option.
        .env("AWS_ENDPOINT_URL", stack.url(Port::Aws))
        .env("AWS_ENDPOINT_URL_S3", stack.url(Port::Aws))
        .env("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY)
        .env("AWS_DEFAULT_REGION", aws::REGION)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .current_dir(stack.root())
        .stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .context("Cannot run the AWS command line of the tools environment.")?;
    if !output.status.success() {
        let what = arguments
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        bail!(
            "`aws {what}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
