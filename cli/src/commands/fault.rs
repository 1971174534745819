//! `fault`: lets a dependency of the functions fail, and heals it.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use local::faults::control::{Faults, InForce, Wanted};
use local::faults::{ALLOWED, Dependency, Kind, span};
use local::{Port, Stack};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

/// What ends a fault, in the place of a kind or alone.
const HEAL: &str = "heal";

#[derive(Args)]
pub(crate) struct Options {
    /// What fails, such as payments or database-primary; `heal` alone heals all
    dependency: Option<String>,
    /// How: refuse, reset, hang, half-open, latency=(ms), error=(percent), throttle=(percent),
    /// cut=(bytes), charge-then-drop; or heal
    kind: Option<String>,
    /// Heals by itself after so long: a whole number and ms, s or m
    #[arg(long = "for", value_name = "SPAN", requires = "kind")]
    lasts: Option<String>,
}

/// Lists, begins or heals. What it says is so when it returns.
///
/// # Errors
/// An argument is wrong, or the fault proxy does not run.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let control = Control::of(stack);
    match (options.dependency.as_deref(), options.kind.as_deref()) {
        (None, _) => print(&control.list().await?),
        (Some(HEAL), None) => {
            control.ask(control.http.delete(control.url(None))).await?;
            println!("everything is healed");
        }
        (Some(dependency), None) => {
            named(dependency)?;
            bail!("How shall `{dependency}` fail? There are: {ALLOWED}.");
        }
        (Some(dependency), Some(HEAL)) => {
            if options.lasts.is_some() {
                bail!("Healing has no end: leave --for away.");
            }
            let dependency = named(dependency)?;
            control.heal(dependency).await?;
            println!("{dependency} is healed");
        }
        (Some(dependency), Some(kind)) => {
            let lasts = options.lasts.as_deref();
            print(&control.begin(named(dependency)?, kind, lasts).await?);
        }
    }
    Ok(())
}

/// What is in force in a stack.
///
/// # Errors
/// The fault proxy does not run.
pub(crate) async fn in_force(stack: &Stack) -> Result<Vec<InForce>> {
    Control::of(stack).list().await
}

/// Begins a fault in a stack, until it is healed.
///
/// # Errors
/// It cannot fail like this, or the fault proxy does not run.
pub(crate) async fn start(stack: &Stack, dependency: Dependency, kind: &str) -> Result<()> {
    Control::of(stack)
        .begin(dependency, kind, None)
        .await
        .map(drop)
}

/// Heals one dependency of a stack.
///
/// # Errors
/// The fault proxy does not run.
pub(crate) async fn heal(stack: &Stack, dependency: Dependency) -> Result<()> {
    Control::of(stack).heal(dependency).await
}

/// One fault for a person to read.
pub(crate) fn line(fault: &InForce) -> String {
    let left = match fault.seconds_left {
        Some(seconds) => format!("{seconds:.0} s left"),
        None => "until it is healed".into(),
    };
    format!("{:<24} {:<18} {left}", fault.dependency, fault.kind)
}

fn print(faults: &[InForce]) {
    if faults.is_empty() {
        println!("no fault is in force");
    }
    for fault in faults {
        println!("{}", line(fault));
    }
}

fn named(dependency: &str) -> Result<Dependency> {
    dependency.parse().map_err(|words: String| anyhow!(words))
}

/// The proxy's control.
struct Control {
    http: Client,
    origin: String,
}

impl Control {
    fn of(stack: &Stack) -> Self {
        Self {
            http: Client::new(),
            origin: stack.url(Port::Faults),
        }
    }

    fn url(&self, dependency: Option<Dependency>) -> String {
        match dependency {
            Some(dependency) => format!("{}/faults/{dependency}", self.origin),
            None => format!("{}/faults", self.origin),
        }
    }

    /// What is in force for the dependency then.
    async fn begin(
        &self,
        dependency: Dependency,
        kind: &str,
        lasts: Option<&str>,
    ) -> Result<Vec<InForce>> {
        // Wrong arguments are told whether or not the stack runs.
        let kind: Kind = kind.parse().map_err(|words: String| anyhow!(words))?;
        kind.suits(dependency).map_err(|words| anyhow!(words))?;
        lasts
            .map(span)
            .transpose()
            .map_err(|words| anyhow!(words))?;
        let wanted = Wanted {
            kind: kind.to_string(),
            lasts: lasts.map(Into::into),
        };
        let url = self.url(Some(dependency));
        let faults = self.ask(self.http.put(url).json(&wanted)).await?;
        let ours = |fault: &InForce| fault.dependency == dependency.name();
        Ok(faults.into_iter().filter(ours).collect())
    }

    async fn heal(&self, dependency: Dependency) -> Result<()> {
        let url = self.url(Some(dependency));
        self.ask(self.http.delete(url)).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<InForce>> {
        self.ask(self.http.get(self.url(None))).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Vec<InForce>> {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
        }
        let answer = request
            .send()
            .await
            .context("The fault proxy does not run. Run: cargo holdfast up")?;
        if !answer.status().is_success() {
            bail!("{}", answer.json::<Refusal>().await?.error);
        }
        Ok(answer.json::<Faults>().await?.faults)
    }
}
