//! From what dependencies said to what is shown of each. Names no host: anyone may read it.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::providers::probes::ProbeError;
use shared::resilience::Dependency;
use shared::store::database::Node;

use crate::breakers::state_of;
use crate::readiness::{Check, Condition};

/// The check that selling depends on.
pub(crate) const PRIMARY: &str = "database_primary";

impl Check {
    pub(crate) fn new(dependency: Dependency, status: Condition, latency: Duration) -> Self {
        Self {
            status,
            breaker: state_of(dependency).to_owned(),
            latency_ms: (latency.as_secs_f64() * 10_000.0).round() / 10.0,
            detail: None,
        }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

fn primary(status: Condition, latency: Duration) -> Check {
    Check::new(Dependency::DatabaseWriter, status, latency)
}

/// Something that is not the database.
pub(crate) fn outside(
    dependency: Dependency,
    answer: Result<(), ProbeError>,
    latency: Duration,
) -> Check {
    match answer {
        Ok(()) => Check::new(dependency, Condition::Healthy, latency),
        Err(error) => {
            Check::new(dependency, Condition::Unhealthy, latency).detail(error.to_string())
        }
    }
}

/// No node could be asked.
pub(crate) fn no_login(latency: Duration) -> BTreeMap<String, Check> {
    let check = primary(Condition::Unhealthy, latency).detail("the login cannot be read");
    [(PRIMARY.to_owned(), check)].into()
}

/// Gives each node its seat by what it says, not by what it was configured as:
/// the writer is primary, the others are replica and fallback in their order.
pub(crate) fn seats(mut nodes: Vec<Node>) -> BTreeMap<String, Check> {
    let slowest = nodes.iter().map(|node| node.latency).max();
    let check = match writer(&nodes) {
        Some(index) => written_to(&nodes.remove(index)),
        None => {
            // A silent node is the likeliest to have been the writer.
            let silent = nodes.iter().position(|node| node.role.is_err());
            let latency = silent.map(|index| nodes.remove(index).latency);
            let latency = latency.or(slowest).unwrap_or_default();
            primary(Condition::Unhealthy, latency).detail("no node accepts writes")
        }
    };
    let others = nodes.iter().enumerate().map(|(index, node)| {
        let name = match index {
            0 => "database_replica".to_owned(),
            1 => "database_fallback".to_owned(),
            more => format!("database_fallback_{more}"),
        };
        (name, reader(node))
    });
    let mut checks: BTreeMap<_, _> = others.collect();
    checks.insert(PRIMARY.to_owned(), check);
    checks
}

/// Of several nodes that accept writes, the one on the highest timeline.
fn writer(nodes: &[Node]) -> Option<usize> {
    let writable = nodes.iter().enumerate().filter_map(|(index, node)| {
        let role = node.role.as_ref().ok().filter(|role| role.writable)?;
        // A tie goes to the node that was configured first.
        Some((role.timeline, usize::MAX - index))
    });
    writable.max().map(|(_, index)| usize::MAX - index)
}

/// The writer is of use only with the schema that this release writes to.
fn written_to(writer: &Node) -> Check {
    match writer.role.as_ref().map(|role| role.check_schema()) {
        Ok(Err(pending)) => primary(Condition::Unhealthy, writer.latency)
            .detail(format!("{pending}; nothing is written until then")),
        _ => primary(Condition::Healthy, writer.latency),
    }
}

/// The newest migration that the writer has; without one, that any node has.
pub(crate) fn schema(nodes: &[Node]) -> Option<i64> {
    let of = |node: &Node| node.role.as_ref().ok().map(|role| role.schema);
    match writer(nodes) {
        Some(writer) => of(&nodes[writer]),
        None => nodes.iter().filter_map(of).max(),
    }
}

fn reader(node: &Node) -> Check {
    let check = |status| Check::new(Dependency::DatabaseReads, status, node.latency);
    match &node.role {
        Ok(role) if role.writable => {
            check(Condition::Degraded).detail("accepts writes on an old timeline")
        }
        Ok(_) => check(Condition::Healthy),
        Err(error) => check(Condition::Unhealthy).detail(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use shared::config::DatabaseHost;
    use shared::store::database::{NodeError, Role};
    use shared::store::migrations;

    use super::*;

    fn node(port: u16, role: Result<Role, NodeError>) -> Node {
        let host = "node".to_owned();
        Node {
            host: DatabaseHost { host, port },
            role,
            latency: Duration::from_millis(port.into()),
        }
    }

    fn writer_on(timeline: i32) -> Result<Role, NodeError> {
        let (writable, schema) = (true, migrations::built_for());
        Ok(Role {
            writable,
            timeline,
            schema,
        })
    }

    fn reader() -> Result<Role, NodeError> {
        Ok(Role {
            writable: false,
            timeline: 0,
            schema: migrations::built_for(),
        })
    }

    fn statuses(checks: &BTreeMap<String, Check>) -> Vec<(&str, Condition)> {
        checks
            .iter()
            .map(|(name, check)| (name.as_str(), check.status))
            .collect()
    }

    #[test]
    fn seats_follow_roles_and_not_the_configuration() {
        let nodes = vec![
            node(1, Err(NodeError::Silent)),
            node(2, reader()),
            node(3, writer_on(2)),
        ];
        let checks = seats(nodes);
        assert_eq!(
            statuses(&checks),
            [
                ("database_fallback", Condition::Healthy),
                (PRIMARY, Condition::Healthy),
                ("database_replica", Condition::Unhealthy),
            ]
        );
        assert_eq!(checks[PRIMARY].latency_ms, 3.0);
        assert_eq!(
            checks["database_replica"].detail.as_deref(),
            Some("does not answer in time")
        );
    }

    #[test]
    fn old_primary_that_woke_is_never_the_primary() {
        let checks = seats(vec![node(1, writer_on(1)), node(2, writer_on(2))]);
        assert_eq!(checks[PRIMARY].latency_ms, 2.0);
        assert_eq!(checks["database_replica"].status, Condition::Degraded);
    }

    #[test]
    fn without_a_writer_the_silent_node_has_the_seat() {
        let nodes = vec![node(1, reader()), node(2, Err(NodeError::Silent))];
        assert_eq!(
            statuses(&seats(nodes)),
            [
                (PRIMARY, Condition::Unhealthy),
                ("database_replica", Condition::Healthy)
            ]
        );
        let all_read_only = seats(vec![node(1, reader())]);
        assert_eq!(all_read_only[PRIMARY].status, Condition::Unhealthy);
        assert_eq!(all_read_only.len(), 2);
    }

    #[test]
    fn pending_migrations_keep_the_shop_from_selling_and_say_which() {
        let needed = migrations::built_for();
        let at = |schema| {
            let role = writer_on(1).map(|role| Role { schema, ..role });
            vec![node(1, role), node(2, reader())]
        };
        let behind = needed - 1;
        assert_eq!(schema(&at(behind)), Some(behind));
        let check = &seats(at(behind))[PRIMARY];
        assert_eq!(check.status, Condition::Unhealthy);
        let words = format!("the schema is at {behind}, this release needs {needed}");
        let detail = check.detail.as_deref().unwrap();
        assert!(detail.contains(&words), "{detail}");
        // What an expand migration adds is nothing to the release before it.
        let newer = &seats(at(needed + 1))[PRIMARY];
        assert_eq!(newer.status, Condition::Healthy);
    }

    #[test]
    fn what_does_not_serve_is_unhealthy_and_says_why() {
        let latency = Duration::ZERO;
        assert_eq!(
            outside(Dependency::Objects, Ok(()), latency).status,
            Condition::Healthy
        );
        for (error, detail) in [
            (ProbeError::TimedOut, "does not answer in time"),
            (
                ProbeError::Failed("access is denied".into()),
                "access is denied",
            ),
        ] {
            let gone = outside(Dependency::Objects, Err(error), latency);
            assert_eq!(gone.status, Condition::Unhealthy);
            assert_eq!(gone.detail.as_deref(), Some(detail));
        }
    }
}
