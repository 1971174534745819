//! The database's nodes: which one writes, which ones read, and their pools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Executor, PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::OnceCell;

use super::StoreError;
use crate::config::{Config, DatabaseConfig, DatabaseHost};
use crate::providers::secrets::Secrets;
use crate::resilience::policies::{STATEMENT_TIMEOUT, VALIDATE_IDLE_AFTER, VALIDATE_TIMEOUT};
use crate::resilience::{Intent, call};

/// The login that a function's secret holds.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Role {
    /// Whether it accepts writes.
    pub writable: bool,
    /// Its timeline; the higher one is the one that was promoted later.
    pub timeline: i32,
}

/// One node, as seen just now.
#[derive(Debug)]
pub struct Node {
    /// Where it is.
    pub host: DatabaseHost,
    /// What it says of itself.
    pub role: Result<Role, NodeError>,
    /// How long it took to say so.
    pub latency: Duration,
}

/// Why a node did not say what it is. Names no host and quotes no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No connection or no answer in time.
    #[error("does not answer in time")]
    Silent,
    /// No connection.
    #[error("cannot be reached")]
    Unreachable,
    /// It answered with this SQLSTATE.
    #[error("refuses with {0}")]
    Refused(String),
}

impl From<sqlx::Error> for NodeError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Silent,
            sqlx::Error::Database(answer) => {
                Self::Refused(answer.code().unwrap_or_default().into_owned())
            }
            _ => Self::Unreachable,
        }
    }
}

/// No node is known to accept writes.
const NONE: usize = usize::MAX;

/// A transaction, for functions that must name its type.
pub type Tx = Transaction<'static, Postgres>;

/// The database.
#[derive(Clone)]
pub struct Database {
    config: DatabaseConfig,
    secrets: Secrets,
    secret_id: String,
    nodes: Arc<OnceCell<Vec<PgPool>>>,
    writer: Arc<AtomicUsize>,
}

impl Database {
    /// The database that `config` names. Connects when it is first used.
    pub fn new(config: &Config, secrets: Secrets) -> Self {
        Self {
            config: config.database.clone(),
            secrets,
            secret_id: config.secrets.database.clone(),
            nodes: Arc::default(),
            writer: Arc::new(AtomicUsize::new(NONE)),
        }
    }

    /// Begins a transaction on the node that accepts writes. `begin` itself asks
    /// for writes, so a node that was demoted meanwhile refuses it.
    ///
    /// # Errors
    /// No node accepts writes, or none could be asked in time.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let begun = call(Intent::DatabaseConnect, || async {
            let writer = self.writer().await?;
            let begun = writer.begin_with("begin read write").await;
            begun.inspect_err(|_| self.writer.store(NONE, Ordering::Relaxed))
        });
        Ok(begun.await?)
    }

    /// Runs a read on a replica, or on the writer when no replica answers.
    /// `read` may run twice.
    ///
    /// # Errors
    /// No node answered in time, or the statement failed.
    pub async fn read<T, F>(&self, read: impl Fn(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.read_in_order(Order::ReplicasFirst, read).await
    }

    /// Runs a read on the writer, for what its reader may just have written;
    /// on a replica when no writer answers.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn read_own<T, F>(&self, read: impl Fn(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.read_in_order(Order::WriterFirst, read).await
    }

    async fn read_in_order<T, F>(
        &self,
        order: Order,
        read: impl Fn(PgPool) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let nodes = self.nodes().await?;
        if self.writer.load(Ordering::Relaxed) == NONE {
            // Only the order depends on it: a read goes on without a writer.
            let _ = self.discover(nodes).await;
        }
        let writer = self.writer.load(Ordering::Relaxed);
        let mut candidates: Vec<usize> = (0..nodes.len()).collect();
        candidates.sort_by_key(|&node| (node == writer) == (order == Order::ReplicasFirst));
        let mut next = candidates.into_iter().cycle();
        let result = call(Intent::DatabaseRead, || {
            let node = next.next().unwrap_or_default();
            read(nodes[node].clone())
        });
        Ok(result.await?)
    }

    /// Opens a connection to every node that answers.
    ///
    /// # Errors
    /// No node accepts writes.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        let nodes = self.nodes().await?;
        self.discover(nodes).await?;
        Ok(())
    }

    /// What each configured node says of itself, in the order of the configuration.
    ///
    /// # Errors
    /// The login cannot be read.
    pub async fn roles(&self) -> Result<Vec<Node>, StoreError> {
        let nodes = self.nodes().await?.iter().zip(&self.config.hosts);
        let seen = nodes.map(async |(node, host)| {
            let started = Instant::now();
            let role = ask(node).await.map_err(NodeError::from);
            Node {
                host: host.clone(),
                role,
                latency: started.elapsed(),
            }
        });
        Ok(futures::future::join_all(seen).await)
    }

    async fn writer(&self) -> Result<&PgPool, sqlx::Error> {
        let nodes = self
            .nodes()
            .await
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let known = self.writer.load(Ordering::Relaxed);
        let writer = if known == NONE {
            self.discover(nodes).await?
        } else {
            known
        };
        Ok(&nodes[writer])
    }

    /// Finds the node that accepts writes: of several, the one on the highest timeline.
    async fn discover(&self, nodes: &[PgPool]) -> Result<usize, sqlx::Error> {
        let roles = ask_all(nodes).await;
        let writable = roles.iter().enumerate().filter_map(|(node, role)| {
            let role = role.as_ref().ok().filter(|role| role.writable)?;
            Some((role.timeline, node))
        });
        // A tie goes to the node that was configured first.
        let writer = writable.max_by_key(|&(timeline, node)| (timeline, usize::MAX - node));
        let (_, writer) = writer.ok_or(sqlx::Error::PoolTimedOut)?;
        self.writer.store(writer, Ordering::Relaxed);
        Ok(writer)
    }

    async fn nodes(&self) -> Result<&Vec<PgPool>, StoreError> {
        self.nodes
            .get_or_try_init(|| async {
                let login: Login = self
                    .secrets
                    .json(&self.secret_id)
                    .await
                    .map_err(|error| StoreError::Unavailable(error.into()))?;
                Ok(self
                    .config
                    .hosts
                    .iter()
                    .map(|host| pool(&self.config, host, &login))
                    .collect())
            })
            .await
    }
}

#[derive(PartialEq, Eq)]
enum Order {
    ReplicasFirst,
    WriterFirst,
}

fn pool(config: &DatabaseConfig, host: &DatabaseHost, login: &Login) -> PgPool {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&host.host)
        .port(host.port)
        .database(&config.name)
        .username(&login.username)
        .password(&login.password)
        .application_name("holdfast")
        .ssl_mode(if config.tls {
            PgSslMode::VerifyFull
        } else {
            PgSslMode::Disable
        });
    PgPoolOptions::new()
        .max_connections(config.pool_max)
        .acquire_timeout(config.connect_timeout)
        .idle_timeout(config.pool_idle)
        // Its ping has no timeout and hangs on a half-open socket; ours has one.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(
                async move { Ok(meta.idle_for < VALIDATE_IDLE_AFTER || answers(connection).await) },
            )
        })
        // Not a start-up option, because RDS Proxy refuses those.
        .after_connect(|connection, _| {
            Box::pin(async move {
                let statement =
                    format!("set statement_timeout = {}", STATEMENT_TIMEOUT.as_millis());
                connection.execute(statement.as_str()).await.map(drop)
            })
        })
        .connect_lazy_with(options)
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(
        tokio::time::timeout(VALIDATE_TIMEOUT, connection.execute("select 1")).await,
        Ok(Ok(_))
    )
}

async fn ask_all(nodes: &[PgPool]) -> Vec<Result<Role, sqlx::Error>> {
    futures::future::join_all(nodes.iter().map(ask)).await
}

/// Asks a node for its role, briefly: a node that hangs is as good as gone.
async fn ask(node: &PgPool) -> Result<Role, sqlx::Error> {
    let question = sqlx::query_as(
        "select not pg_is_in_recovery() and not current_setting('transaction_read_only')::bool as writable,
             case when pg_is_in_recovery() then 0
                 else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int4 end as timeline",
    )
    .fetch_one(node);
    let policy = crate::resilience::policies::policy(Intent::DatabaseConnect);
    let timeout = Duration::from_millis(policy.attempt_timeout_ms.into());
    tokio::time::timeout(timeout, question)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// What statements run on inside of a transaction.
pub type Connection = PgConnection;

/// Runs what is done on an open transaction, for no longer than its policy and
/// the deadline allow: a server that was frozen in the middle of it says nothing.
/// Whether it had its effect is not known then; without a commit it had none.
///
/// # Errors
/// The work's own, or that it took too long.
pub async fn within<T, E: From<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let policy = crate::resilience::policies::policy(Intent::DatabaseWrite);
    let timeout = Duration::from_millis(policy.attempt_timeout_ms.into());
    let timeout = timeout.min(crate::context::deadline().remaining());
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(elapsed) => Err(StoreError::Unavailable(elapsed.into()).into()),
    }
}

/// Commits. When the answer is lost, whether it committed is not known: the
/// caller finds out by its key.
///
/// # Errors
/// The database's.
pub async fn commit(tx: Transaction<'static, Postgres>) -> Result<(), StoreError> {
    let policy = crate::resilience::policies::policy(Intent::DatabaseWrite);
    let timeout = Duration::from_millis(policy.attempt_timeout_ms.into());
    match tokio::time::timeout(timeout, tx.commit()).await {
        Ok(committed) => Ok(committed?),
        Err(elapsed) => Err(StoreError::Unavailable(elapsed.into())),
    }
}
