//! What can happen to a node's processes: an end, a crash, a freeze.

use super::{Node, data_folder, survey::Survey};
use crate::process::{self, Signal, send, wait_until, working_in};
use crate::stack::Stack;
use anyhow::{Result, bail};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// Kills a node as a crash does: the server and its children at once, without a word. Answers
/// whether it ran.
///
/// # Errors
/// A process outlives it.
pub async fn kill(stack: &Stack, node: Node) -> Result<bool> {
    let ran = !processes(stack, node).is_empty();
    let gone = || {
        let left = processes(stack, node);
        left.iter().for_each(|pid| send(*pid, Signal::Kill));
        left.is_empty()
    };
    if wait_until(PATIENCE, gone).await {
        return Ok(ran);
    }
    bail!("The {} node outlives SIGKILL.", node.name())
}

/// Stops a node and its children in the middle of what they do; the kernel still takes connections
/// for them.
///
/// # Errors
/// It does not run, or goes on.
pub async fn freeze(stack: &Stack, node: Node) -> Result<()> {
    if processes(stack, node).is_empty() {
        bail!("The {} node does not run.", node.name());
    }
    // The server first, so that it starts no more children; one may be on its way.
    let still = || {
        let moving = moving(stack, node);
        moving.iter().for_each(|pid| send(*pid, Signal::Freeze));
        moving.is_empty()
    };
    if wait_until(PATIENCE, still).await {
        return Ok(());
    }
    bail!("The {} node goes on.", node.name())
}

/// Lets a frozen node go on. Answers whether it was frozen.
///
/// # Errors
/// It does not run.
pub async fn thaw(stack: &Stack, node: Node) -> Result<bool> {
    let all = processes(stack, node);
    if all.is_empty() {
        bail!("The {} node does not run.", node.name());
    }
    let was_frozen = all.iter().any(|pid| process::is_frozen(*pid));
    all.iter().for_each(|pid| send(*pid, Signal::Thaw));
    Ok(was_frozen)
}

/// Whether the node's server stands still.
pub fn is_frozen(stack: &Stack, node: Node) -> bool {
    process::running(stack, node.process()).is_some_and(|record| process::is_frozen(record.pid))
}

/// Stops every node: the writer first, so that the standbys get its last changes. Answers how many ran.
///
/// # Errors
/// A node does not end.
pub async fn stop_all(stack: &Stack) -> Result<usize> {
    for node in Node::ALL {
        // A frozen standby would keep its writer from ending.
        if is_frozen(stack, node) {
            thaw(stack, node).await?;
        }
    }
    let writer = Survey::of(stack).writer();
    let mut nodes = Node::ALL;
    nodes.sort_by_key(|node| Some(*node) != writer);
    let mut stopped = 0;
    for node in nodes {
        stopped += usize::from(stop(stack, node).await?);
    }
    Ok(stopped)
}

/// Stops a node. Answers whether it ran.
///
/// # Errors
/// It does not end.
pub async fn stop(stack: &Stack, node: Node) -> Result<bool> {
    let stopped = process::stop(stack, node.process()).await?;
    // Children of a server that had to be killed go on with what they were at.
    Ok(kill(stack, node).await? || stopped)
}

/// The server and its children; they work in the node's folder.
fn processes(stack: &Stack, node: Node) -> Vec<u32> {
    let folder = data_folder(stack, node);
    // Linked folders are shown by their true names.
    let folder = folder.canonicalize().unwrap_or(folder);
    working_in(&folder, "postgres")
}

fn moving(stack: &Stack, node: Node) -> Vec<u32> {
    let server = process::running(stack, node.process()).map(|record| record.pid);
    let mut moving = processes(stack, node);
    moving.retain(|pid| !process::is_frozen(*pid));
    moving.sort_by_key(|pid| Some(*pid) != server);
    moving
}
