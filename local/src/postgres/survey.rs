//! What there is of each node: whether it runs, and what its data folder says of its history.
//! Asks no server, so that a frozen one costs nothing.

use super::{Node, data_folder, data_root, signals};
use crate::process;
use crate::stack::Stack;
use std::fs;
use std::path::Path;

/// Whether a node's server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has no data yet, or no more.
    Missing,
    /// It has data and does not run.
    Stopped,
    /// It is there and stands still.
    Frozen,
    /// It runs.
    Running,
}

/// One node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub node: Node,
    /// Whether it is there.
    pub condition: Condition,
    /// Whether it follows another, or would once it is started.
    pub is_standby: bool,
    /// The newest timeline in its data; 0 without data.
    pub timeline: u32,
}

/// All three nodes.
#[derive(Clone, Copy, Debug)]
pub struct Survey(pub [Seen; 3]);

impl Survey {
    /// Looks at every node.
    pub fn of(stack: &Stack) -> Self {
        Self(Node::ALL.map(|node| see(stack, node)))
    }

    /// One node.
    pub fn node(&self, node: Node) -> Seen {
        let [primary, replica, fallback] = self.0;
        match node {
            Node::Primary => primary,
            Node::Replica => replica,
            Node::Fallback => fallback,
        }
    }

    /// The node that wrote last: the one that is no standby on the newest timeline of all. A node
    /// that was promoted over does not have that one.
    pub fn writer(&self) -> Option<Node> {
        let newest = self.0.iter().map(|seen| seen.timeline).max()?;
        let candidates = self.0.iter().filter(|seen| {
            seen.condition != Condition::Missing && !seen.is_standby && seen.timeline == newest
        });
        // Only somebody's hand makes two on one timeline; the one that runs is in use.
        let chosen = candidates.max_by_key(|seen| seen.condition == Condition::Running);
        chosen.map(|seen| seen.node)
    }

    /// Whether no node was ever made.
    pub fn is_empty(&self) -> bool {
        let missing = |seen: &Seen| seen.condition == Condition::Missing;
        self.0.iter().all(missing)
    }
}

/// A node is made once a note beside its folder says so; before, the folder may be half full.
pub(super) fn is_made(stack: &Stack, node: Node) -> bool {
    let note = data_root(stack).join(format!("{}.made", node.name()));
    note.is_file() && data_folder(stack, node).join("PG_VERSION").is_file()
}

fn see(stack: &Stack, node: Node) -> Seen {
    let folder = data_folder(stack, node);
    if !is_made(stack, node) {
        return Seen {
            node,
            condition: Condition::Missing,
            is_standby: false,
            timeline: 0,
        };
    }
    let condition = match process::running(stack, node.process()) {
        Some(_) if signals::is_frozen(stack, node) => Condition::Frozen,
        Some(_) => Condition::Running,
        None => Condition::Stopped,
    };
    Seen {
        node,
        condition,
        // PostgreSQL removes it when a promotion is complete.
        is_standby: folder.join("standby.signal").exists(),
        timeline: newest_timeline(&folder.join("pg_wal")),
    }
}

/// Names of log segments begin with their timeline, in eight hexadecimal digits; so do those of
/// the history files, which a promotion writes first.
fn newest_timeline(wal: &Path) -> u32 {
    let entries = fs::read_dir(wal).into_iter().flatten().flatten();
    let timelines = entries.filter_map(|entry| timeline_of(entry.file_name().to_str()?));
    timelines.max().unwrap_or(0)
}

fn timeline_of(name: &str) -> Option<u32> {
    let is_segment = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_history = name.len() == 16 && name.ends_with(".history");
    (is_segment || is_history)
        .then(|| u32::from_str_radix(name.get(..8)?, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Condition::{Frozen, Missing, Running, Stopped};

    fn seen(node: Node, condition: Condition, is_standby: bool, timeline: u32) -> Seen {
        Seen {
            node,
            condition,
            is_standby,
            timeline,
        }
    }

    fn three(nodes: [(Condition, bool, u32); 3]) -> Survey {
        let [primary, replica, fallback] = nodes;
        let of =
            |node, (condition, is_standby, timeline)| seen(node, condition, is_standby, timeline);
        Survey([
            of(Node::Primary, primary),
            of(Node::Replica, replica),
            of(Node::Fallback, fallback),
        ])
    }

    #[test]
    fn the_writer_is_the_node_that_was_promoted_last() {
        for (nodes, writer) in [
            (
                [(Stopped, false, 1), (Stopped, true, 1), (Stopped, true, 1)],
                Some(Node::Primary),
            ),
            // Promoted over while it was frozen, woken since.
            (
                [(Running, false, 1), (Running, false, 2), (Running, true, 2)],
                Some(Node::Replica),
            ),
            (
                [(Frozen, false, 3), (Running, true, 4), (Stopped, false, 4)],
                Some(Node::Fallback),
            ),
            // The promoted node is lost, and a standby knows of its timeline.
            (
                [(Stopped, false, 1), (Missing, false, 0), (Running, true, 2)],
                None,
            ),
            (
                [
                    (Missing, false, 0),
                    (Missing, false, 0),
                    (Missing, false, 0),
                ],
                None,
            ),
        ] {
            assert_eq!(three(nodes).writer(), writer, "{nodes:?}");
        }
    }

    #[test]
    fn timelines_are_read_from_segments_and_history_files() {
        assert_eq!(timeline_of("00000001000000000000000A"), Some(1));
        assert_eq!(timeline_of("0000001F.history"), Some(31));
        assert_eq!(timeline_of("archive_status"), None);
        assert_eq!(timeline_of("xlogtemp.4711"), None);
    }
}
