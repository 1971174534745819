//! What the nodes' configuration files say, and why.

use super::{Credentials, Node};
use crate::stack::Stack;

/// The file that holds our settings, included by `postgresql.conf`. What `alter system` writes
/// comes later and wins, so a failover is not undone by the next start.
pub(super) const FILE: &str = "holdfast.conf";

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

/// The settings of one node.
pub(super) fn settings(
    stack: &Stack,
    node: Node,
    secret: &Credentials,
    commits: Commits,
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
    if node != Node::Primary {
        text += &format!(
            "primary_slot_name = '{}'\nprimary_conninfo = '{}'\n",
            node.name(),
            upstream(stack, node, secret)
        );
    }
    text
}

/// How a standby reaches the primary. The primary knows it by its application name.
pub(super) fn upstream(stack: &Stack, standby: Node, secret: &Credentials) -> String {
    format!(
        "host=127.0.0.1 port={} user=replicator password={} application_name={} sslmode=disable",
        Node::Primary.port(stack),
        secret.replication_password,
        standby.name(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(node: Node, commits: Commits) -> String {
        let stack = Stack::open(std::path::Path::new("/tmp"), "default", None).unwrap();
        let secret = Credentials {
            superuser_password: "S".into(),
            replication_password: "R".into(),
        };
        settings(&stack, node, &secret, commits)
    }

    #[test]
    fn the_primary_waits_for_any_one_of_the_two_others() {
        let text = of(Node::Primary, Commits::WithOneStandby);
        assert!(
            text.contains("synchronous_standby_names = 'ANY 1 (replica, fallback)'"),
            "{text}"
        );
        assert!(!text.contains("primary_conninfo"));
    }

    #[test]
    fn a_promoted_standby_would_wait_for_the_nodes_that_are_left() {
        let text = of(Node::Replica, Commits::WithOneStandby);
        assert!(text.contains("'ANY 1 (primary, fallback)'"), "{text}");
        assert!(text.contains("port=47811 user=replicator password=R application_name=replica"));
    }

    #[test]
    fn nobody_is_waited_for_while_the_standbys_are_made() {
        assert!(of(Node::Primary, Commits::Alone).contains("synchronous_standby_names = ''"));
    }
}
