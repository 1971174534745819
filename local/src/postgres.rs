//! Three real PostgreSQL nodes: a primary and two standbys, of which any one must have a commit
//! before it is acknowledged. With two nodes, either a lost standby would stop every commit or a
//! lost primary would lose commits.

mod account;
mod configuration;
mod fetch;
mod install;
mod making;
mod membership;
mod nodes;
mod promotion;
pub mod signals;
pub mod survey;

pub use account::Account;
pub use install::Installation;
pub use nodes::{Cluster, Done, ready};
pub use promotion::Promotion;

use crate::stack::{Port, Stack};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use std::path::{Path, PathBuf};

/// The database that the shop lives in.
pub const DATABASE: &str = "holdfast";

/// One of the three nodes, named for the part it plays at first. Which one accepts writes now is
/// asked, never known from the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Node {
    /// The first writer.
    Primary,
    /// The standby that reads prefer.
    Replica,
    /// The other standby.
    Fallback,
}

impl Node {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Replica, Self::Fallback];

    /// The name of its folder, its process and its replication slot, and what it calls itself when
    /// it connects to another node.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Fallback => "fallback",
        }
    }

    /// The name of its process and its log.
    pub fn process(self) -> &'static str {
        match self {
            Self::Primary => "postgres-primary",
            Self::Replica => "postgres-replica",
            Self::Fallback => "postgres-fallback",
        }
    }

    /// Where it listens.
    pub fn port(self, stack: &Stack) -> u16 {
        stack.port(match self {
            Self::Primary => Port::Primary,
            Self::Replica => Port::Replica,
            Self::Fallback => Port::Fallback,
        })
    }
}

/// The passwords of the two roles that belong to no function.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Of the superuser `postgres`.
    pub superuser_password: String,
    /// Of the role `replicator`.
    pub replication_password: String,
}

impl Credentials {
    /// Reads the stack's, or makes them.
    ///
    /// # Errors
    /// The file is damaged or cannot be written.
    pub fn of(stack: &Stack) -> Result<Self> {
        const FILE: &str = "postgres.json";
        if let Some(known) = stack.read_json(FILE)? {
            return Ok(known);
        }
        let fresh = Self {
            superuser_password: password(),
            replication_password: password(),
        };
        stack.write_json(FILE, &fresh)?;
        Ok(fresh)
    }
}

/// A random password of 144 bits that needs no quoting anywhere.
pub fn password() -> String {
    use rand::RngExt;
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(25)
        .map(char::from)
        .collect()
}

/// The folder with the nodes' data folders: in the stack's, unless the account that PostgreSQL runs
/// as cannot get there.
pub fn data_root(stack: &Stack) -> PathBuf {
    let noted = std::fs::read_to_string(stack.path("postgres-folder")).unwrap_or_default();
    if noted.is_empty() {
        stack.path("postgres")
    } else {
        Path::new(&noted).into()
    }
}

/// Where one node keeps its data.
pub fn data_folder(stack: &Stack, node: Node) -> PathBuf {
    data_root(stack).join(node.name())
}

/// How to reach a node as the superuser.
pub fn superuser_options(stack: &Stack, node: Node, database: &str) -> Result<PgConnectOptions> {
    Ok(PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(node.port(stack))
        .username("postgres")
        .password(&Credentials::of(stack)?.superuser_password)
        .database(database)
        // Loopback only; the nodes have no certificates.
        .ssl_mode(PgSslMode::Disable))
}

/// Connects to a node as the superuser.
///
/// # Errors
/// The node does not answer or refuses.
pub async fn connect(stack: &Stack, node: Node, database: &str) -> Result<PgConnection> {
    let options = superuser_options(stack, node, database)?;
    let connecting = tokio::time::timeout(std::time::Duration::from_secs(3), options.connect());
    connecting
        .await
        .with_context(|| format!("The {} node does not answer.", node.name()))?
        .with_context(|| format!("Cannot connect to the {} node.", node.name()))
}

/// What a node that answers says of itself.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Role {
    /// Whether it accepts writes.
    pub accepts_writes: bool,
    /// The timeline that it writes, or last got changes on.
    pub timeline: i32,
    /// The end of its log: written, or received.
    pub position: i64,
}

/// The node that accepts writes; of several the one on the highest timeline.
///
/// # Errors
/// No node accepts writes.
pub async fn writer(stack: &Stack) -> Result<Node> {
    let roles = futures::future::join_all(Node::ALL.map(|node| role(stack, node))).await;
    let writers = Node::ALL.into_iter().zip(roles).filter_map(|(node, role)| {
        let role = role.filter(|role| role.accepts_writes)?;
        Some((role.timeline, node))
    });
    writers
        .max_by_key(|(timeline, _)| *timeline)
        .map(|(_, node)| node)
        .context("No PostgreSQL node accepts writes. What there is: cargo holdfast db")
}

/// What a node says of itself; `None` if it does not answer.
pub async fn role(stack: &Stack, node: Node) -> Option<Role> {
    if signals::is_frozen(stack, node) {
        return None;
    }
    let mut connection = connect(stack, node, "postgres").await.ok()?;
    sqlx::query_as(
        "select not pg_is_in_recovery() as accepts_writes, \
             case when pg_is_in_recovery() \
                 then coalesce((select received_tli from pg_stat_wal_receiver), \
                     (select timeline_id from pg_control_checkpoint())) \
                 else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int4 \
             end as timeline, \
             (case when pg_is_in_recovery() \
                 then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
                 else pg_current_wal_lsn() end - '0/0'::pg_lsn)::int8 as position",
    )
    .fetch_one(&mut connection)
    .await
    .ok()
}

/// The standbys that may acknowledge a writer's commits.
///
/// # Errors
/// The writer does not answer.
pub async fn synchronous_standbys(stack: &Stack, writer: Node) -> Result<Vec<String>> {
    let mut connection = connect(stack, writer, "postgres").await?;
    let names = sqlx::query_scalar(
        "select application_name from pg_stat_replication \
         where state = 'streaming' and sync_state in ('sync', 'quorum') order by 1",
    );
    Ok(names.fetch_all(&mut connection).await?)
}

fn log_of(stack: &Stack, node: Node) -> PathBuf {
    stack.log(node.process())
}
