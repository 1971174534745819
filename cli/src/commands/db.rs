//! `db`: the database's nodes, and what can happen to them.

use crate::steps::lock;
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use local::Stack;
use local::postgres::survey::{Condition, Seen, Survey};
use local::postgres::{self, Cluster, Done, Node, Role, signals};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Lets a standby take over from the writer, which may be live, frozen or dead
    Promote {
        /// The standby that has got most, unless one is named
        node: Option<Name>,
    },
    /// Kills a node and its children at once, as a crash does
    Kill { node: Name },
    /// Stops a node in the middle of what it does; its connections stay open
    Freeze { node: Name },
    /// Lets a frozen node go on
    Thaw { node: Name },
    /// Makes each node, or one, a standby of the present writer, unless it is that already
    Rebuild { node: Option<Name> },
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Primary,
    Replica,
    Fallback,
}

impl From<Name> for Node {
    fn from(name: Name) -> Self {
        match name {
            Name::Primary => Self::Primary,
            Name::Replica => Self::Replica,
            Name::Fallback => Self::Fallback,
        }
    }
}

/// Does what was asked for, or shows the nodes.
///
/// # Errors
/// The stack was never started, or the nodes do not allow it; says what to do.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    if Survey::of(stack).is_empty() {
        bail!("There is no database yet. Start one: cargo holdfast up");
    }
    match options.action {
        None => show(stack).await,
        Some(Action::Promote { node }) => promote(stack, node.map(Node::from)).await,
        Some(Action::Rebuild { node }) => rebuild(stack, node.map(Node::from)).await,
        Some(Action::Kill { node }) => {
            let node = Node::from(node);
            let ran = signals::kill(stack, node).await?;
            let words = if ran { "is dead" } else { "was dead already" };
            println!("the {} node {words}", node.name());
            Ok(())
        }
        Some(Action::Freeze { node }) => {
            let node = Node::from(node);
            signals::freeze(stack, node).await?;
            println!("the {} node is frozen", node.name());
            Ok(())
        }
        Some(Action::Thaw { node }) => {
            let node = Node::from(node);
            let was_frozen = signals::thaw(stack, node).await?;
            let words = if was_frozen {
                "goes on"
            } else {
                "was not frozen"
            };
            println!("the {} node {words}", node.name());
            Ok(())
        }
    }
}

async fn promote(stack: &Stack, node: Option<Node>) -> Result<()> {
    let _lock = lock::take(stack)?;
    let promotion = Cluster::prepare(stack).await?.promote(node).await?;
    println!("{promotion}");
    promotion.joined.iter().for_each(tell);
    Ok(())
}

async fn rebuild(stack: &Stack, node: Option<Node>) -> Result<()> {
    let _lock = lock::take(stack)?;
    let done = Cluster::prepare(stack).await?.rebuild(node).await?;
    done.iter().for_each(tell);
    Ok(())
}

fn tell((node, done): &(Node, Done)) {
    let words = match done {
        Done::Nothing => "follows the writer already",
        Done::Started => "was started and follows the writer",
        Done::Thawed => "was thawed and follows the writer",
        Done::Redirected => "was redirected and follows the writer",
        Done::Copied => "was made anew as a copy of the writer and follows it",
    };
    println!("the {} node {words}", node.name());
}

async fn show(stack: &Stack) -> Result<()> {
    let survey = Survey::of(stack);
    let roles = Node::ALL.map(|node| postgres::role(stack, node));
    let roles = futures::future::join_all(roles).await;
    let writer = survey.writer();
    let synchronous = match writer {
        Some(writer) if survey.node(writer).condition == Condition::Running => {
            postgres::synchronous_standbys(stack, writer).await?
        }
        _ => Vec::new(),
    };
    let end = writer.and_then(|writer| {
        let index = Node::ALL.iter().position(|node| *node == writer)?;
        Some(roles.get(index)?.as_ref()?.position)
    });
    println!(
        "{:<10} {:<10} {:<24} {:>8} {:>12}",
        "node", "process", "role", "timeline", "lag"
    );
    for (seen, role) in survey.0.iter().zip(&roles) {
        println!(
            "{:<10} {:<10} {:<24} {:>8} {:>12}",
            seen.node.name(),
            condition(seen.condition),
            part(seen, role.as_ref(), writer, &synchronous),
            seen.timeline,
            lag(role.as_ref(), end)
        );
    }
    Ok(())
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Missing => "missing",
        Condition::Stopped => "stopped",
        Condition::Frozen => "frozen",
        Condition::Running => "running",
    }
}

fn part(
    seen: &Seen,
    role: Option<&Role>,
    writer: Option<Node>,
    synchronous: &[String],
) -> &'static str {
    let is_synchronous = synchronous.iter().any(|name| name == seen.node.name());
    match (seen.condition, role) {
        (Condition::Missing, _) => "-",
        _ if writer == Some(seen.node) => "writer",
        // It must not be written to; nobody acknowledges its commits.
        _ if !seen.is_standby => "old writer, fenced",
        (Condition::Running, None) => "standby, silent",
        _ if is_synchronous => "standby, synchronous",
        _ => "standby, does not follow",
    }
}

fn lag(role: Option<&Role>, end: Option<i64>) -> String {
    match (role, end) {
        (Some(role), Some(end)) => format!("{} bytes", (end - role.position).max(0)),
        _ => "-".into(),
    }
}
