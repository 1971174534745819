//! `rotate`: has Secrets Manager rotate the signing keys or database logins, and waits for it.

use crate::steps::secrets;
use crate::{emulator, project};
use anyhow::{Context, Result, bail, ensure};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::rotate_secret::RotateSecretError;
use clap::{Args, Subcommand};
use local::Stack;
use local::stack::STAGE;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::providers::secrets::Stage;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Four steps, each within the function's own timeout.
const PATIENCE: Duration = Duration::from_secs(240);
/// A function that was killed says nothing; so long after it was asked, it is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// The function that does it, and its name in the emulator's logs.
const FUNCTION: &str = "key-rotator";

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The keys that access tokens are signed with; nobody is signed out
    Jwt {
        /// The present keys have leaked: new ones sign at once, and tokens signed with the old
        /// ones are refused everywhere within 60 s (refresh tokens stay good)
        #[arg(long)]
        emergency: bool,
    },
    /// The database login of a function, or of all
    Database {
        /// Such as `checkout`
        function: Option<String>,
        /// The present password has leaked: rotates twice, after which it opens nothing
        #[arg(long)]
        emergency: bool,
    },
}

/// Rotates.
///
/// # Errors
/// The stack does not run, or a step failed; says which and what to do.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let client = secrets::client(stack).await;
    let rotation = |name: &str| Rotation {
        stack,
        client: &client,
        id: format!("holdfast/{STAGE}/{name}"),
    };
    match &options.what {
        What::Jwt { emergency } => jwt(&rotation("jwt-private"), *emergency).await,
        What::Database {
            function,
            emergency,
        } => {
            let known = project::database_functions(stack)?;
            let chosen = match function {
                Some(name) => vec![name.clone()],
                None => known.clone(),
            };
            for name in chosen {
                ensure!(
                    known.contains(&name),
                    "There is no function `{name}` with a database. There are: {}",
                    known.join(", ")
                );
                let login = rotation(&format!("db/{name}"));
                if *emergency {
                    login.run().await?;
                }
                let user = login.run_and_show("/username").await?;
                println!("{name} signs in as {user}");
            }
            Ok(())
        }
    }
}

async fn jwt(ring: &Rotation<'_>, emergency: bool) -> Result<()> {
    if emergency {
        // One that is under way would go on from the keys that leaked.
        if let Some(pending) = ring.pending().await? {
            ring.start().await.ok();
            ring.wait_for(&pending).await?;
        }
        ring.revoke_current().await?;
    }
    let kid = ring.run_and_show("/current/kid").await?;
    println!("tokens are signed with {kid}");
    if emergency {
        println!("every earlier key is refused everywhere within 60 s");
    }
    Ok(())
}

/// One secret that is rotated.
struct Rotation<'a> {
    stack: &'a Stack,
    client: &'a Client,
    id: String,
}

impl Rotation<'_> {
    /// Starts a rotation, or takes up the one that was left half-way, and waits for its end.
    async fn run(&self) -> Result<()> {
        let version = match self.start().await? {
            Some(version) => version,
            None => self.pending().await?.context(
                "A rotation was under way and has just ended. Start yours again with the same command.",
            )?,
        };
        self.wait_for(&version).await
    }

    /// Rotates, brings the other region up to date, and says what the new value has at `pointer`.
    async fn run_and_show(&self, pointer: &str) -> Result<String> {
        self.run().await?;
        secrets::replicate(self.stack, self.client).await?;
        let value: Value = serde_json::from_str(&secrets::value(self.client, &self.id).await?)?;
        let shown = value.pointer(pointer).and_then(Value::as_str);
        let shown = shown.with_context(|| format!("The secret {} has no {pointer}.", self.id))?;
        Ok(shown.to_owned())
    }

    /// The version that it makes; none if Secrets Manager goes on with an earlier one first.
    async fn start(&self) -> Result<Option<String>> {
        let started = self.client.rotate_secret().secret_id(&self.id).send().await;
        match started {
            Ok(started) => Ok(started.version_id),
            Err(error) => match error.as_service_error() {
                Some(RotateSecretError::InvalidRequestException(refusal))
                    if refusal
                        .message()
                        .is_some_and(|words| words.contains("previous rotation")) =>
                {
                    println!(
                        "taking up the rotation of {} that was left half-way",
                        self.id
                    );
                    Ok(None)
                }
                Some(refusal) => bail!(
                    "Secrets Manager does not rotate {}: {}. Remedy: cargo holdfast up",
                    self.id,
                    refusal.meta()
                ),
                None => bail!("The AWS emulator is not running. Remedy: cargo holdfast up"),
            },
        }
    }

    /// Waits until a version is the current one and no longer pending.
    async fn wait_for(&self, version: &str) -> Result<()> {
        let (begin, begin_ms) = (Instant::now(), now_ms());
        let mut asked = begin;
        while begin.elapsed() < PATIENCE {
            let labels = self.labels_of(version).await?;
            let is_at = |stage: Stage| labels.iter().any(|label| label == stage.as_str());
            if is_at(Stage::Current) && !is_at(Stage::Pending) {
                return Ok(());
            }
            if let Some(failure) = self.failure(version, begin_ms).await? {
                return Err(self.unfinished(version, &failure));
            }
            if asked.elapsed() > AGAIN_AFTER {
                self.start().await?;
                asked = Instant::now();
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(self.unfinished(version, "it takes too long"))
    }

    fn unfinished(&self, version: &str, why: &str) -> anyhow::Error {
        anyhow::anyhow!(
            "The rotation of {} is not finished: {why}.\nNothing that was in use has changed. Its \
             version {version} is pending, and the same command goes on with it.\nRemedy: see \
             `cargo holdfast logs {FUNCTION}` and docs/RUNBOOK.md#rotation-failed, mend what is \
             wrong, and start it again.",
            self.id
        )
    }

    /// What the function says of a step of this version that failed since `begin_ms`.
    async fn failure(&self, version: &str, begin_ms: u64) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Page {
            events: Vec<Event>,
        }
        #[derive(Deserialize)]
        struct Event {
            message: String,
        }
        let group = format!("/aws/lambda/holdfast-{STAGE}-{FUNCTION}");
        let input = json!({"logGroupName": group, "startTime": begin_ms});
        // There is no group before the function's first line.
        let Ok(page) = emulator::logs::<Page>(self.stack, "FilterLogEvents", &input).await else {
            return Ok(None);
        };
        let lines = page.events.iter().flat_map(|event| event.message.lines());
        let mut failures = lines.filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let is_it = line["version"] == version && line["level"] == "ERROR";
            is_it.then(|| format!("{} failed: {}", text(&line["step"]), text(&line["error"])))
        });
        Ok(failures.next())
    }

    /// The version of a rotation that was begun and not ended.
    async fn pending(&self) -> Result<Option<String>> {
        let versions = self.versions().await?;
        let mut versions = versions.into_iter().filter(|(_, labels)| {
            let is_at = |stage: Stage| labels.iter().any(|label| label == stage.as_str());
            is_at(Stage::Pending) && !is_at(Stage::Current)
        });
        Ok(versions.next().map(|(version, _)| version))
    }

    /// Marks the present version as leaked, which the function looks at.
    async fn revoke_current(&self) -> Result<()> {
        let versions = self.versions().await?;
        let at = |stage: Stage| {
            let mut versions = versions.iter();
            let found =
                versions.find(|(_, labels)| labels.iter().any(|label| label == stage.as_str()));
            found.map(|(version, _)| version.clone())
        };
        let current = at(Stage::Current).with_context(|| format!("{} has no value.", self.id))?;
        let marked = at(Stage::Revoked).filter(|marked| *marked != current);
        let update = self.client.update_secret_version_stage();
        let update = update
            .secret_id(&self.id)
            .version_stage(Stage::Revoked.as_str());
        let update = update
            .move_to_version_id(current)
            .set_remove_from_version_id(marked);
        let marked = update.send().await.map(drop);
        marked.with_context(|| format!("The present version of {} cannot be marked.", self.id))
    }

    async fn labels_of(&self, version: &str) -> Result<Vec<String>> {
        let mut versions = self.versions().await?;
        let found = versions.iter().position(|(name, _)| name == version);
        found
            .map(|index| versions.swap_remove(index).1)
            .with_context(|| format!("The version {version} of {} was given up.", self.id))
    }

    async fn versions(&self) -> Result<Vec<(String, Vec<String>)>> {
        let described = self
            .client
            .describe_secret()
            .secret_id(&self.id)
            .send()
            .await;
        let described = described.with_context(|| {
            format!(
                "The secret {} cannot be looked at. Remedy: cargo holdfast up",
                self.id
            )
        })?;
        let versions = described.version_ids_to_stages.unwrap_or_default();
        Ok(versions.into_iter().collect())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("it")
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
