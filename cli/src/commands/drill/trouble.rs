//! What befalls the shop in a drill: how it is brought about, and how it is undone.

use crate::commands::fault;
use crate::progress::Step;
use crate::project;
use crate::steps::lock;
use anyhow::{Context, Result, anyhow, bail};
use local::Stack;
use local::drill::Traffic;
use local::faults::Dependency;
use local::postgres::survey::Survey;
use local::postgres::{Cluster, Node, signals};
use local::process::{self, Signal, environments_of};
use rand::RngExt;
use std::time::{Duration, Instant};

/// All nodes of the database at once.
const DATABASE: &str = "database";
const NODES: [(Dependency, Node); 3] = [
    (Dependency::DatabasePrimary, Node::Primary),
    (Dependency::DatabaseReplica, Node::Replica),
    (Dependency::DatabaseFallback, Node::Fallback),
];
/// Those of a node itself; all others are the proxy's.
const KILL: &str = "kill";
const FREEZE: &str = "freeze";
const FAILOVER: &str = "failover";

/// The old writer stands still for so long before a standby takes over.
const BEFORE_PROMOTION: Duration = Duration::from_secs(5);

/// What befalls the shop.
pub(super) enum Trouble {
    /// The proxy in front of some dependencies does `kind`, for all at once.
    Faults {
        dependencies: Vec<Dependency>,
        kind: String,
    },
    /// A node's server and its children die.
    NodeDies(Node),
    /// A node's server and its children stand still.
    NodeFreezes(Node),
    /// The writer stands still, a standby takes over, and the old writer wakes up.
    Failover,
    /// Environments of a function die, whatever they are at.
    EnvironmentsDie { function: String, times: u32 },
}

/// What came of it.
#[derive(Default)]
pub(super) struct Played {
    /// For the report.
    pub(super) words: Option<String>,
    /// When another node took over, since the traffic began.
    pub(super) promoted_at: Option<Duration>,
}

impl Trouble {
    /// Reads what was asked for: a function's name, `database` for all nodes, or dependencies as in
    /// `cargo holdfast fault` with `+` between those that are to fail at once.
    ///
    /// # Errors
    /// There is nothing of that name, or it cannot fail in that way.
    pub(super) fn of(stack: &Stack, what: &str, kind: Option<&str>, times: u32) -> Result<Self> {
        if project::functions(stack)?.iter().any(|name| name == what) {
            return match kind {
                None | Some(KILL) => Ok(Self::EnvironmentsDie {
                    function: what.to_owned(),
                    times,
                }),
                Some(kind) => bail!("A function can only be killed: --kind {KILL}, not {kind}."),
            };
        }
        let dependencies = match what {
            DATABASE => NODES.map(|(dependency, _)| dependency).into(),
            _ => what.split('+').map(named).collect::<Result<Vec<_>>>()?,
        };
        match kind {
            Some(FAILOVER) if what == DATABASE => Ok(Self::Failover),
            Some(FAILOVER) => bail!("It is the whole database that fails over: drill {DATABASE}."),
            Some(KILL) => Ok(Self::NodeDies(node(&dependencies)?)),
            Some(FREEZE) => Ok(Self::NodeFreezes(node(&dependencies)?)),
            kind => Ok(Self::Faults {
                dependencies,
                kind: kind.unwrap_or("refuse").to_owned(),
            }),
        }
    }

    /// In a word, for the report.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Faults { kind, .. } => kind,
            Self::NodeDies(_) | Self::EnvironmentsDie { .. } => KILL,
            Self::NodeFreezes(_) => FREEZE,
            Self::Failover => FAILOVER,
        }
    }

    /// Brings it about, lets it last, and undoes it.
    ///
    /// # Errors
    /// The stack does not play along.
    pub(super) async fn play(
        &self,
        stack: &Stack,
        lasts: Duration,
        traffic: &Traffic,
        step: &Step,
    ) -> Result<Played> {
        match self {
            Self::Faults { dependencies, kind } => {
                for &dependency in dependencies {
                    fault::start(stack, dependency, kind).await?;
                }
                tokio::time::sleep(lasts).await;
                for &dependency in dependencies {
                    fault::heal(stack, dependency).await?;
                }
                Ok(Played::default())
            }
            Self::NodeDies(node) => {
                signals::kill(stack, *node).await?;
                tokio::time::sleep(lasts).await;
                let _lock = lock::take(stack)?;
                Cluster::prepare(stack).await?.ensure().await?;
                Ok(Played::default())
            }
            Self::NodeFreezes(node) => {
                signals::freeze(stack, *node).await?;
                tokio::time::sleep(lasts).await;
                signals::thaw(stack, *node).await?;
                Ok(Played::default())
            }
            Self::Failover => failover(stack, lasts, traffic).await,
            Self::EnvironmentsDie { function, times } => {
                let killed = kill_at_random(stack, function, lasts, *times, step).await;
                Ok(Played {
                    words: Some(format!("{killed} environments of {function} were killed")),
                    ..Played::default()
                })
            }
        }
    }

    /// What would disturb the traffic and can wait until it has ended.
    ///
    /// # Errors
    /// A node does not follow the writer again.
    pub(super) async fn tidy_up(&self, stack: &Stack) -> Result<()> {
        if matches!(self, Self::Failover) {
            let _lock = lock::take(stack)?;
            Cluster::prepare(stack).await?.rebuild(None).await?;
        }
        Ok(())
    }
}

fn named(name: &str) -> Result<Dependency> {
    let dependency = name.parse::<Dependency>();
    dependency
        .map_err(|reason| anyhow!("{reason} Or `{DATABASE}` for all its nodes, or a function."))
}

fn node(dependencies: &[Dependency]) -> Result<Node> {
    let node = NODES.iter().find(|(node, _)| dependencies == [*node]);
    let (_, node) = node.with_context(|| {
        let nodes = NODES.map(|(node, _)| node.name()).join(", ");
        format!("Only one node of the database can be killed or frozen: {nodes}.")
    })?;
    Ok(*node)
}

async fn failover(stack: &Stack, lasts: Duration, traffic: &Traffic) -> Result<Played> {
    let old = Survey::of(stack).writer().context("No node writes.")?;
    signals::freeze(stack, old).await?;
    tokio::time::sleep(BEFORE_PROMOTION).await;
    let _lock = lock::take(stack)?;
    let promotion = Cluster::prepare(stack).await?.promote(None).await?;
    let promoted_at = traffic.elapsed();
    tokio::time::sleep(lasts.saturating_sub(BEFORE_PROMOTION)).await;
    signals::thaw(stack, old).await?;
    Ok(Played {
        words: Some(format!(
            "{} froze, {} took over, {} woke up",
            old.name(),
            promotion.node.name(),
            old.name()
        )),
        promoted_at: Some(promoted_at),
    })
}

/// Kills one environment after the other at random moments; how many there were to kill.
async fn kill_at_random(
    stack: &Stack,
    function: &str,
    lasts: Duration,
    times: u32,
    step: &Step,
) -> u32 {
    let begin = Instant::now();
    let pause_max = lasts * 2 / times;
    let mut killed = 0;
    while killed < times && begin.elapsed() < lasts * 4 {
        tokio::time::sleep(rand::rng().random_range(Duration::ZERO..pause_max)).await;
        let environments = environments_of(stack, function);
        if environments.is_empty() {
            continue;
        }
        let chosen = rand::rng().random_range(0..environments.len());
        process::send(environments[chosen], Signal::Kill);
        killed += 1;
        step.say(format!("{killed} of {times}"));
    }
    killed
}
