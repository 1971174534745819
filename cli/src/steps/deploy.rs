//! Deploys `template.yaml`, the one that production uses, to the emulator.

use super::build;
use super::services::API_ID_FILE;
use crate::emulator;
use crate::progress::Step;
use crate::project;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use local::faults::Dependency;
use local::postgres::DATABASE;
use local::stack::{STAGE, write_private};
use local::template::{TEMPLATE, Template};
use local::{Port, Stack, aws, process};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The domain that the shop's mails come from.
pub(crate) const SENDER_DOMAIN: &str = "holdfast.example";
const PACKAGES: &str = "holdfast-packages";
const FINGERPRINT: &str = "holdfast-fingerprint";

/// How many requests one caller may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Limits {
    /// So many that one machine can play many customers.
    #[default]
    Local,
    /// The template's own, which production has.
    Production,
}

/// Per minute, of one account and of one address.
const LOCAL_LIMIT: u32 = 100_000;

/// Deploys if the template, a parameter or a function changed, or the emulator has lost what was
/// deployed.
///
/// # Errors
/// The words of the tool that failed.
pub(crate) async fn application(stack: &Stack, step: &Step, limits: Limits) -> Result<String> {
    let parameters = parameters(stack, limits)?;
    let wanted = fingerprint(stack, &parameters)?;
    if let Some(present) = describe(stack).await
        && present.is_complete()
        && present.fingerprint() == Some(&wanted)
    {
        note_api(stack, &present)?;
        return Ok("nothing changed".into());
    }
    settle(stack).await?;
    step.say("packing the functions".into());
    package(stack, &parameters).await?;
    step.say("deploying".into());
    deploy(stack, &parameters, &wanted).await?;
    let present = describe(stack)
        .await
        .context("The deployed stack cannot be found.")?;
    note_api(stack, &present)?;
    Ok(format!("stack {} deployed", stack_name()))
}

/// What the emulator knows of the deployment.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deployment {
    stack_status: String,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    output_key: String,
    output_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl Deployment {
    fn is_complete(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&self.stack_status.as_str())
    }

    /// Kept in the deployment itself: an emulator that lost the one has lost the other.
    fn fingerprint(&self) -> Option<&String> {
        self.tags
            .iter()
            .find(|tag| tag.key == FINGERPRINT)
            .map(|tag| &tag.value)
    }

    fn is_under_way(&self) -> bool {
        self.stack_status.ends_with("_IN_PROGRESS") && self.stack_status != "REVIEW_IN_PROGRESS"
    }

    fn can_be_updated(&self) -> bool {
        self.is_complete() || self.stack_status == "UPDATE_ROLLBACK_COMPLETE"
    }
}

async fn describe(stack: &Stack) -> Option<Deployment> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        stacks: Vec<Deployment>,
    }
    let name = stack_name();
    let arguments = [
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        &name,
        "--output",
        "json",
    ];
    let text = tool(stack, &arguments).await.ok()?;
    serde_json::from_str::<Answer>(&text).ok()?.stacks.pop()
}

/// Tells the front where to pass requests.
fn note_api(stack: &Stack, present: &Deployment) -> Result<()> {
    let output = present
        .outputs
        .iter()
        .find(|output| output.output_key == "ApiId");
    let id = &output
        .context("The template has no output ApiId.")?
        .output_value;
    write_private(&stack.path(API_ID_FILE), id.as_bytes())
}

/// A parameter of the template and its value.
pub(crate) type Parameter = (&'static str, String);

/// What is different locally. Everything else is the template's default. The functions reach what
/// they depend on by way of the fault proxy, and browsers the bucket itself.
///
/// # Errors
/// The template cannot be read.
pub(crate) fn parameters(stack: &Stack, limits: Limits) -> Result<Vec<Parameter>> {
    let hosts = [
        Dependency::DatabasePrimary,
        Dependency::DatabaseReplica,
        Dependency::DatabaseFallback,
    ]
    .map(|node| format!("127.0.0.1:{}", stack.port(node.port())))
    .join(",");
    let emulator = stack.url(Port::Aws);
    // In the order that the template says.
    let services = [
        Dependency::DynamoDb,
        Dependency::Sqs,
        Dependency::S3,
        Dependency::SecretsManager,
        Dependency::Mail,
    ]
    .map(|service| stack.url(service.port()))
    .join(",");
    let mut parameters = vec![
        ("Stage", STAGE.into()),
        ("DbHosts", hosts),
        ("DbName", DATABASE.into()),
        ("DbSslMode", "disable".into()),
        ("StripeBaseUrl", stack.url(Dependency::Payments.port())),
        ("TokenIssuer", stack.url(Port::Front)),
        ("ShopUrl", stack.url(Port::Front)),
        ("MailFrom", format!("Holdfast <shop@{SENDER_DOMAIN}>")),
        ("MailIdentity", SENDER_DOMAIN.into()),
        ("CorsAllowedOrigins", stack.url(Port::Front)),
        (
            "MediaBaseUrl",
            format!("{emulator}/holdfast-{STAGE}-media-{}", aws::ACCOUNT),
        ),
        ("MediaUploadUrl", emulator.clone()),
        ("AwsEndpointUrl", emulator),
        ("AwsServiceEndpointUrls", services),
        ("SecretsReplicaRegion", aws::SECONDARY_REGION.into()),
        (
            "SecretsSecondaryEndpointUrl",
            stack.url(Dependency::SecretsManagerSecondary.port()),
        ),
        ("SmtpHost", "127.0.0.1".into()),
        (
            "SmtpPort",
            stack.port(Dependency::MailSecondary.port()).to_string(),
        ),
        ("SmtpSignIn", "false".into()),
    ];
    let template = Template::of(stack.root())?;
    for name in ["LimitPerUser", "LimitPerAddress"] {
        // Without a value, the one of the deployment before would be used again.
        let value = match limits {
            Limits::Local => LOCAL_LIMIT.to_string(),
            Limits::Production => template.default_of(name)?.to_owned(),
        };
        parameters.push((name, value));
    }
    Ok(parameters)
}

fn stack_name() -> String {
    format!("holdfast-{STAGE}")
}

/// Of everything that a deployment depends on.
fn fingerprint(stack: &Stack, parameters: &[Parameter]) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(fs::read(template(stack)).context("template.yaml is missing.")?);
    digest.update(format!("{parameters:?}"));
    for function in project::functions(stack)? {
        let program = build::program(stack, &function);
        let bytes =
            fs::read(&program).with_context(|| format!("{} was not built.", program.display()))?;
        digest.update(function);
        digest.update(Sha256::digest(&bytes));
    }
    // A changed patch may make resources in another way.
    digest.update(aws::service(stack)?.version);
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn template(stack: &Stack) -> PathBuf {
    stack.root().join(TEMPLATE)
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

/// Makes sure that there is something to build on: a deployment that can be updated, or nothing at
/// all. What an interrupted or failed first deployment leaves behind, and the parts that outlive an
/// emulator that was killed, would stand in the way of the next one by their names.
async fn settle(stack: &Stack) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let begin = Instant::now();
    loop {
        match describe(stack).await {
            Some(present) if present.can_be_updated() => return Ok(()),
            Some(present) if present.is_under_way() && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            _ => return emulator::reset(stack).await,
        }
    }
}

async fn package(stack: &Stack, parameters: &[Parameter]) -> Result<()> {
    for function in project::functions(stack)? {
        strip(&build::program(stack, &function));
    }
    let mut command = Command::new(stack.tool("python"));
    command
        .arg(stack.root().join("local/aws/package.py"))
        .arg(stack.url(Port::Aws))
        .arg(PACKAGES);
    let parameters = overrides(parameters).join(" ");
    command
        .arg(template(stack))
        .arg(packaged(stack))
        .arg(parameters);
    run(stack, command, "local/aws/package.py").await.map(drop)
}

fn overrides(parameters: &[Parameter]) -> Vec<String> {
    let assignment = |(name, value): &Parameter| format!("{name}={value}");
    parameters.iter().map(assignment).collect()
}

async fn deploy(stack: &Stack, parameters: &[Parameter], fingerprint: &str) -> Result<()> {
    let packaged = packaged(stack);
    let name = stack_name();
    let overrides = overrides(parameters);
    let packaged = packaged.to_string_lossy();
    let tag = format!("{FINGERPRINT}={fingerprint}");
    let mut arguments = vec![
        "cloudformation",
        "deploy",
        "--stack-name",
        &name,
        "--template-file",
        &packaged,
        // A template of this size is taken from a bucket only.
        "--s3-bucket",
        PACKAGES,
        "--no-fail-on-empty-changeset",
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--tags",
        &tag,
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
    let query = "OperationEvents[?ResourceStatusReason || ValidationStatusReason]\
                 .[LogicalResourceId,ValidationStatusReason,ResourceStatusReason]";
    let arguments = [
        "cloudformation",
        "describe-events",
        "--stack-name",
        &name,
        "--query",
        query,
        "--output",
        "text",
    ];
    tool(stack, &arguments).await.unwrap_or_default()
}

async fn tool(stack: &Stack, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(stack.tool("aws"));
    command
        .args(["--endpoint-url", &stack.url(Port::Aws)])
        .args(arguments);
    let what = arguments
        .iter()
        .take(2)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    run(stack, command, &format!("aws {what}")).await
}

/// Runs a tool against the emulator, and against nothing else: neither the caller's profile nor
/// their credentials are seen.
async fn run(stack: &Stack, mut command: Command, what: &str) -> Result<String> {
    process::clean_environment(&mut command);
    command
        .env("AWS_ENDPOINT_URL", stack.url(Port::Aws))
        .env("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY)
        .env("AWS_DEFAULT_REGION", aws::REGION)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(stack.root())
        .stdin(Stdio::null());
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("Cannot run `{what}`."))?;
    if !output.status.success() {
        bail!(
            "`{what}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
