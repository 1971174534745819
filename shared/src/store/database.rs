//! The database's nodes: which one writes, which ones read, and their pools.

mod discovery;
mod login;
mod node;
mod topology;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::StoreError;
use super::logins::Login;
use crate::config::{DatabaseConfig, DatabaseHost};
use crate::context;
use crate::providers::secrets::{SecretError, Secrets};
use crate::resilience::{Intent, call};
use node::Member;
use topology::{Preference, Topology};

pub use topology::{PendingMigrations, Role};
pub use transaction::{Connection, Tx, commit, statement, within};

/// What an answer says was missing when a replica stood in for the writer.
const DEGRADED: &str = "database";

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

/// The database.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    config: DatabaseConfig,
    secrets: Secrets,
    members: OnceCell<Vec<Arc<Member>>>,
    topology: Topology,
    /// When no login worked that could be read, in seconds since 1970.
    no_login_at: AtomicI64,
}

impl Database {
    /// The database that `config` names. Connects when it is first used.
    pub fn new(config: DatabaseConfig, secrets: Secrets) -> Self {
        Self(Arc::new(Inner {
            config,
            secrets,
            members: OnceCell::new(),
            topology: Topology::unknown(),
            no_login_at: AtomicI64::new(0),
        }))
    }

    /// Where it is.
    pub fn config(&self) -> &DatabaseConfig {
        &self.0.config
    }

    /// Begins a transaction on the node that accepts writes. `begin` itself asks
    /// for writes, so a node that was demoted meanwhile refuses it. For what has nothing
    /// but its statements between here and the commit there are [`Database::write`] and
    /// [`Database::transact`].
    ///
    /// # Errors
    /// No node accepts writes, none could be asked in time, or migrations are pending.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let members = self.members().await?;
        let begun = call(Intent::DatabaseConnect, || async {
            let writer = self.writer(members).await?;
            if let Err(pending) = self.0.topology.check_schema() {
                // No failure of the node, and nothing that trying again at once would mend.
                return Ok(Err(pending));
            }
            let begin = |pool: PgPool| async move { pool.begin_with("begin read write").await };
            match self.run_on(writer, begin).await {
                Ok(transaction) => Ok(Ok(Tx::new(transaction, writer))),
                Err(error) => {
                    self.0.topology.forget();
                    Err(if node::is_read_only(&error) {
                        passing(error)
                    } else {
                        error
                    })
                }
            }
        });
        Ok(begun.await??)
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
        let (result, _) = self.read_in_order(Preference::Replicas, read).await?;
        Ok(result)
    }

    /// Runs a read on the writer, for what its reader may just have written;
    /// on a replica when no writer answers, and then notes `database` as degraded.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn read_own<T, F>(&self, read: impl Fn(PgPool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let (result, node) = self.read_in_order(Preference::Writer, read).await?;
        if self.0.topology.writer() != Some(node) {
            context::degraded(DEGRADED);
        }
        Ok(result)
    }

    /// The result, and which node it is from. Each attempt begins with the node
    /// after the one that failed; one where nobody listens costs no attempt.
    async fn read_in_order<T, F>(
        &self,
        preference: Preference,
        read: impl Fn(PgPool) -> F,
    ) -> Result<(T, usize), StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let members = self.members().await?;
        if self.0.topology.is_older_than(preference.roles_ttl()) {
            // Only the order depends on it: a read goes on without a writer.
            let _ = self.discover(members).await;
        }
        let away: Vec<bool> = members.iter().map(|member| member.is_away()).collect();
        let order = self.0.topology.order(preference, &away);
        let tried = AtomicUsize::new(0);
        let result = call(Intent::DatabaseRead, || async {
            let mut result = Err(sqlx::Error::PoolClosed);
            for _ in &order {
                let node = order[tried.fetch_add(1, Ordering::Relaxed) % order.len()];
                let read = self.run_on(&members[node], &read).await;
                let refused = read.as_ref().is_err_and(node::is_refused);
                result = read.map(|value| (value, node));
                if !refused {
                    break;
                }
            }
            result
        });
        Ok(result.await?)
    }

    /// Opens a connection to every node that answers.
    ///
    /// # Errors
    /// No node accepts writes.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        let members = self.members().await?;
        self.discover(members).await?;
        Ok(())
    }

    /// What each configured node says of itself, in the order of the configuration. A login that
    /// was changed meanwhile says nothing of a node: it is read again, and they are asked again.
    ///
    /// # Errors
    /// The login cannot be read.
    pub async fn roles(&self) -> Result<Vec<Node>, StoreError> {
        let members = self.members().await?;
        let mut answers = ask_each(members).await;
        let refused = |(role, _): &Asked| role.as_ref().is_err_and(node::is_login_refused);
        if answers.iter().any(refused) {
            self.renew_login(members).await;
            answers = ask_each(members).await;
        }
        let nodes = self.0.config.hosts.iter().zip(answers);
        let node = |(host, (role, latency)): (&DatabaseHost, Asked)| Node {
            host: host.clone(),
            role: role.map_err(NodeError::from),
            latency,
        };
        Ok(nodes.map(node).collect())
    }

    async fn writer<'a>(&self, members: &'a [Arc<Member>]) -> Result<&'a Arc<Member>, sqlx::Error> {
        let topology = &self.0.topology;
        let is_old = topology.is_older_than(Preference::Writer.roles_ttl());
        let known = topology
            .writer()
            .filter(|&node| !is_old && !members[node].is_away());
        let writer = match known {
            Some(writer) => writer,
            None => self.discover(members).await?,
        };
        Ok(&members[writer])
    }

    async fn discover(&self, members: &[Arc<Member>]) -> Result<usize, sqlx::Error> {
        let topology = &self.0.topology;
        let answers = discovery::ask_all(members, topology.timeline()).await;
        let refused =
            |answer: &discovery::Answer| answer.as_ref().is_err_and(node::is_login_refused);
        if answers.iter().flatten().any(refused) {
            self.renew_login(members).await;
        }
        let writer = topology.learn(&discovery::roles(&answers));
        writer.ok_or_else(|| passing("no node accepts writes"))
    }

    /// Does `work` on a node. A refused login is read again, for the next attempt.
    async fn run_on<T, F>(
        &self,
        member: &Member,
        work: impl FnOnce(PgPool) -> F,
    ) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let result = member.run(work).await;
        match result {
            Err(error) if node::is_login_refused(&error) => {
                self.renew_login(self.members().await.map_err(passing)?)
                    .await;
                Err(passing(error))
            }
            result => result,
        }
    }

    async fn login(&self) -> Result<Login, SecretError> {
        self.0.secrets.json(&self.0.config.secret_id).await
    }

    async fn members(&self) -> Result<&[Arc<Member>], StoreError> {
        let connect = || async {
            let login = self
                .login()
                .await
                .map_err(|error| StoreError::Unavailable(error.into()))?;
            let config = &self.0.config;
            let member = |host| Arc::new(Member::new(config, host, &login));
            Ok::<_, StoreError>(config.hosts.iter().map(member).collect())
        };
        Ok(self.0.members.get_or_try_init(connect).await?)
    }
}

/// What a node says of itself, and how long it took to.
type Asked = (Result<Role, sqlx::Error>, Duration);

async fn ask_each(members: &[Arc<Member>]) -> Vec<Asked> {
    let asked = members.iter().map(async |member| {
        let started = Instant::now();
        (member.ask().await, started.elapsed())
    });
    futures::future::join_all(asked).await
}

/// A failure that another attempt may get round.
fn passing(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(error))
}
