//! `check`: whether a stage could be deployed: whether CloudFormation would take the template, every
//! function its configuration, the database their connections, and which schema is there.

use crate::progress::Progress;
use crate::steps::{budget, configuration, deploy, stages};
use anyhow::{Context, Result, bail};
use clap::Args;
use local::postgres::{self, DATABASE};
use local::stack::STAGE;
use local::template::{Template, Values};
use local::{Stack, tools};
use shared::store::migrations;
use tokio::process::Command;

#[derive(Args)]
pub(crate) struct Options {
    /// The stage, as samconfig.toml calls it; `local` is what `up` deploys
    #[arg(long, default_value = STAGE)]
    stage: String,
}

/// Looks at everything, and tells everything that is wrong in one message.
///
/// # Errors
/// What is wrong.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
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
    let stage = options.stage.as_str();
    let template = Template::of(stack.root())?;
    let given = parameters(stack, stage)?;
    let mut faults = Faults::default();
    faults.note(&progress, "template", validate(stack).await);
    let (complete, wrong) = configuration::check(&template, stage, &given);
    let functions = template.functions().len();
    let words = format!("{functions} functions of stage {stage} would start");
    let outcome = if wrong.is_empty() {
        Ok(words)
    } else {
        Err(wrong)
    };
    faults.note(&progress, "configuration", outcome);
    if let Some(values) = complete {
        let budget = budget::of(&template, &values).and_then(|budget| budget.check());
        faults.note(&progress, "connections", budget.map_err(one));
    }
    faults.note(&progress, "schema", schema(stack, stage).await);
    faults.result(stage)
}

/// What is wrong, each with the part that it was found in.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn note(&mut self, progress: &Progress, part: &str, outcome: Result<String, Vec<String>>) {
        match outcome {
            Ok(words) => progress.line(&format!("  ok  {part:<22} {words}")),
            Err(faults) => {
                progress.line(&format!("FAIL  {part:<22} {} fault(s)", faults.len()));
                self.0
                    .extend(faults.iter().map(|fault| format!("{part}: {fault}")));
            }
        }
    }

    fn result(self, stage: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let count = self.0.len();
        bail!(
            "stage {stage} has {count} fault(s):\n  - {}",
            self.0.join("\n  - ")
        );
    }
}

fn one(error: anyhow::Error) -> Vec<String> {
    vec![format!("{error:#}")]
}

fn parameters(stack: &Stack, stage: &str) -> Result<Values> {
    if stage != STAGE {
        return stages::parameters(stack.root(), stage);
    }
    let parameters = deploy::parameters(stack, deploy::Limits::Local)?;
    let owned = parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Ok(owned.collect())
}

async fn validate(stack: &Stack) -> Result<String, Vec<String>> {
    let output = Command::new(stack.tool("cfn-lint"))
        .args(["--format", "parseable", "--", "template.yaml"])
        .current_dir(stack.root())
        .output()
        .await
        .context("Cannot run cfn-lint.")
        .map_err(one)?;
    if output.status.success() {
        return Ok("template.yaml is valid".into());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    Err(lines.map(ToOwned::to_owned).collect())
}

/// Only the local stage's database can be asked from here; another one's is in its network, and
/// its functions refuse writes by themselves while migrations are pending.
async fn schema(stack: &Stack, stage: &str) -> Result<String, Vec<String>> {
    let wanted = migrations::built_for();
    if stage != STAGE {
        return Ok(format!(
            "{wanted} is wanted; the database of {stage} was not asked"
        ));
    }
    let applied = async {
        let writer = postgres::writer(stack).await?;
        let mut connection = postgres::connect(stack, writer, DATABASE).await?;
        anyhow::Ok(migrations::applied(&mut connection).await?)
    };
    match applied.await {
        Err(_) => Ok(format!(
            "{wanted} is wanted; no writer answers that could be asked"
        )),
        Ok(applied) if applied >= wanted => Ok(format!("{applied} is there, {wanted} is wanted")),
        Ok(applied) => Err(vec![format!(
            "migrations are pending: {applied} is there, {wanted} is wanted; \
             `cargo holdfast up` applies them"
        )]),
    }
}
