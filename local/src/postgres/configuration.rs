//! What the nodes' configuration files say, and why.

use super::{Credentials, Node};
use crate::stack::Stack;

/// The file that holds our settings, included by `postgresql.conf`.
pub(super) const FILE: &str = "holdfast.conf";

/// The file that `alter system` writes. It comes later and wins.
pub(super) const ALTERED: &str = "postgresql.auto.conf";

/// What in that file would keep a node from its part in the present cluster.
const OVERRULING: [&str; 3] = [
    "primary_conninfo",
    "primary_slot_name",
    "synchronous_standby_names",
];

/// Only passwords, only over loopback, only TCP: a socket file would need a path that is short and
/// that both the caller and the nodes' account reach.
pub(super) const HBA: &str = "\
host all         all        127.0.0.1/32 scram-sha-256
host replication replicator 127.0.0.1/32 scram-sha-256
";

/// Whether commits wait for a standby yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commits {
    /// Only while the standbys are being made: nobody could acknowledge.
    Alone,
    /// Any one of the two other nodes must have it.
    WithOneStandby,
}

/// What `alter system` wrote, without what our own settings decide.
pub(super) fn without_overruling(altered: &str) -> String {
    let kept = altered.lines().filter(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        !OVERRULING.contains(&name)
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// The settings of one node, which follows `upstream`, or writes.
pub(super) fn settings(
    stack: &Stack,
    secret: &Credentials,
    node: Node,
    (upstream, commits): (Option<Node>, Commits),
) -> String {
    let others: Vec<&str> = Node::ALL
        .iter()
        .filter(|n| **n != node)
        .map(|n| n.name())
        .collect();
    let standby_names = match commits {
        Commits::Alone => String::new(),
        // Also on the standbys, without effect there: the one that is promoted fences a zombie
        // from its first commit.
        Commits::WithOneStandby => format!("ANY 1 ({})", others.join(", ")),
    };
    let mut text = format!(
        "listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
cluster_name = '{name}'
# Every Lambda environment is a process with a pool of its own here.
max_connections = 500
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off

wal_level = 'replica'
hot_standby = on
hot_standby_feedback = on
synchronous_commit = on
synchronous_standby_names = '{standby_names}'
# With data checksums, so that pg_rewind can bring an old primary back.
wal_log_hints = on
wal_keep_size = '512MB'
# A standby that stays away must not fill the disk.
max_slot_wal_keep_size = '4GB'
wal_retrieve_retry_interval = '500ms'
recovery_target_timeline = 'latest'
",
        port = node.port(stack),
        name = node.name(),
    );
    if let Some(upstream) = upstream {
        text += &format!(
            "primary_slot_name = '{}'\nprimary_conninfo = '{}'\n",
            node.name(),
            connection(stack, secret, Replication { node, upstream })
        );
    }
    text
}

/// Who follows whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replication {
    /// The standby.
    pub node: Node,
    /// Where it gets its changes.
    pub upstream: Node,
}

/// How a standby reaches its upstream, which knows it by its application name.
pub(super) fn connection(stack: &Stack, secret: &Credentials, who: Replication) -> String {
    format!(
        "host=127.0.0.1 port={} user=replicator password={} application_name={} sslmode=disable",
        who.upstream.port(stack),
        secret.replication_password,
        who.node.name(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(node: Node, part: (Option<Node>, Commits)) -> String {
        let stack = Stack::open(std::path::Path::new("/tmp"), "default", None).unwrap();
        let secret = Credentials {
            superuser_password: "S".into(),
            replication_password: "R".into(),
        };
        settings(&stack, &secret, node, part)
    }

    #[test]
    fn the_writer_waits_for_any_one_of_the_two_others() {
        let text = of(Node::Primary, (None, Commits::WithOneStandby));
        assert!(
            text.contains("synchronous_standby_names = 'ANY 1 (replica, fallback)'"),
            "{text}"
        );
        assert!(!text.contains("primary_conninfo"));
    }

    #[test]
    fn a_promoted_standby_would_wait_for_the_nodes_that_are_left() {
        let text = of(
            Node::Replica,
            (Some(Node::Primary), Commits::WithOneStandby),
        );
        assert!(text.contains("'ANY 1 (primary, fallback)'"), "{text}");
        assert!(text.contains("port=27811 user=replicator password=R application_name=replica"));
    }

    #[test]
    fn the_first_primary_can_follow_like_any_other() {
        let text = of(
            Node::Primary,
            (Some(Node::Fallback), Commits::WithOneStandby),
        );
        assert!(text.contains("primary_slot_name = 'primary'"), "{text}");
        assert!(text.contains("port=27813 user=replicator password=R application_name=primary"));
    }

    #[test]
    fn nobody_is_waited_for_while_the_standbys_are_made() {
        let text = of(Node::Primary, (None, Commits::Alone));
        assert!(text.contains("synchronous_standby_names = ''"));
    }

    #[test]
    fn what_was_altered_by_hand_stays_unless_it_decides_who_follows_whom() {
        let altered = "# Do not edit.\nprimary_conninfo = 'host=a'\nwork_mem = '8MB'\n\
                       synchronous_standby_names = ''\n";
        assert_eq!(
            without_overruling(altered),
            "# Do not edit.\nwork_mem = '8MB'\n"
        );
    }
}
