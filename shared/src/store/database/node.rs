//! One node: its pool, and whether it has hung.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio::net::TcpStream;

use super::Role;
use crate::clock;
use crate::config::{DatabaseConfig, DatabaseHost};
use crate::resilience::policies::{
    NODE_ANSWER_TIMEOUT, NODE_AVOIDED_FOR, STATEMENT_TIMEOUT, VALIDATE_IDLE_AFTER, VALIDATE_TIMEOUT,
};
use crate::store::logins::Login;

/// A node and the connections to it.
pub(super) struct Member {
    host: DatabaseHost,
    config: DatabaseConfig,
    pool: RwLock<PgPool>,
    /// 0 while it is there; else when to wait for it again, in seconds since 1970.
    away_until: AtomicI64,
}

impl Member {
    /// Connects when it is first used.
    pub(super) fn new(config: &DatabaseConfig, host: &DatabaseHost, login: &Login) -> Self {
        Self {
            host: host.clone(),
            config: config.clone(),
            pool: RwLock::new(pool(config, connect_options(config, host, login))),
            away_until: AtomicI64::new(0),
        }
    }

    /// Whether it hung, and has not answered since.
    pub(super) fn is_away(&self) -> bool {
        self.away_until.load(Ordering::Relaxed) != 0
    }

    /// Whether its answer is worth waiting for: it has not hung, or some time ago.
    pub(super) fn is_awaited(&self) -> bool {
        self.away_until.load(Ordering::Relaxed) <= clock::now().unix_timestamp()
    }

    /// Notes that it hung. Its connections are left to themselves: one that waits for
    /// a hung server would keep its place in the pool for as long as that hangs.
    pub(super) fn avoid(&self) {
        self.renew_pool();
        if self.is_awaited() {
            let until = clock::now() + NODE_AVOIDED_FOR;
            self.away_until
                .store(until.unix_timestamp(), Ordering::Relaxed);
        }
    }

    /// Uses another login for new connections.
    pub(super) fn set_login(&self, login: &Login) {
        let options = connect_options(&self.config, &self.host, login);
        self.pool().set_connect_options(options);
    }

    /// Connects with a login that is not the pool's, and leaves again.
    ///
    /// # Errors
    /// The node does not let it in, or does not answer.
    pub(super) async fn admit(&self, login: &Login) -> Result<(), sqlx::Error> {
        let options = connect_options(&self.config, &self.host, login);
        let greet = async { PgConnection::connect_with(&options).await?.close().await };
        let greeted = tokio::time::timeout(NODE_ANSWER_TIMEOUT, greet).await;
        greeted.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Does `work` on this node's pool, and takes note of how that went.
    ///
    /// # Errors
    /// The work's; that nobody listens there.
    pub(super) async fn run<T, F>(&self, work: impl FnOnce(PgPool) -> F) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let pool = self.pool();
        let work = async {
            // The pool takes a refused connection for a server that is starting, and goes on trying.
            if pool.num_idle() == 0 {
                TcpStream::connect((self.host.host.as_str(), self.host.port)).await?;
            }
            work(pool).await
        };
        self.watch(work).await
    }

    /// Takes note of how `work` on a connection to this node goes. Work that is
    /// dropped before its end was cut off by its time limit.
    ///
    /// # Errors
    /// The work's.
    pub(super) async fn watch<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut watch = Watch {
            node: self,
            ended: false,
        };
        let result = work.await;
        watch.ended = true;
        match &result {
            Err(sqlx::Error::PoolTimedOut) => self.avoid(),
            Err(error) if is_broken(error) => self.renew_pool(),
            _ => {}
        }
        result
    }

    /// Asks the node what it is and which schema it has, briefly: one that hangs is as good as gone.
    ///
    /// # Errors
    /// It does not say so in time.
    pub(super) async fn ask(&self) -> Result<Role, sqlx::Error> {
        let question = self.run(|pool| async move {
            sqlx::query_as(
                "select not pg_is_in_recovery() and not current_setting('transaction_read_only')::bool as writable,
                     case when pg_is_in_recovery() then 0
                         else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int4 end as timeline,
                     (select coalesce(max(version), 0) from _sqlx_migrations where success) as schema",
            )
            .fetch_one(&pool)
            .await
        });
        let role = tokio::time::timeout(NODE_ANSWER_TIMEOUT, question)
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        self.away_until.store(0, Ordering::Relaxed);
        Ok(role)
    }

    fn pool(&self) -> PgPool {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        pool.clone()
    }

    fn renew_pool(&self) {
        let mut present = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        let options = Arc::unwrap_or_clone(present.connect_options());
        *present = pool(&self.config, options);
    }
}

struct Watch<'a> {
    node: &'a Member,
    ended: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.node.avoid();
        }
    }
}

/// Whether the connection is no more, and so probably its neighbours in the pool.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        _ => has_code(error, &["57P", "08"]),
    }
}

/// Whether nobody listens at the node's address, so that asking took no time.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Whether the server refused the login or its password.
pub(super) fn is_login_refused(error: &sqlx::Error) -> bool {
    has_code(error, &["28"])
}

/// Whether a server that does not accept writes was asked for some. During
/// recovery, `begin read write` is answered with "feature not supported".
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    has_code(error, &["25006", "0A000"])
}

fn has_code(error: &sqlx::Error, prefixes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| prefixes.iter().any(|prefix| code.starts_with(prefix)))
}

fn connect_options(
    config: &DatabaseConfig,
    host: &DatabaseHost,
    login: &Login,
) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&host.host)
        .port(host.port)
        .database(&config.name)
        .username(&login.username)
        .password(login.password.expose_secret())
        .application_name("holdfast")
        .ssl_mode(if config.tls {
            PgSslMode::VerifyFull
        } else {
            PgSslMode::Disable
        })
}

fn pool(config: &DatabaseConfig, options: PgConnectOptions) -> PgPool {
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::resilience::policies::NODE_ANSWER_GRACE;

    /// A node at a port of this machine.
    pub(in crate::store::database) fn member(port: u16) -> Member {
        let host = DatabaseHost {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let config = DatabaseConfig {
            hosts: vec![host.clone()],
            name: "holdfast".to_owned(),
            tls: false,
            secret_id: "login".to_owned(),
            pool_max: 2,
            pool_idle: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(1),
        };
        let login = Login {
            username: "checkout_a".to_owned(),
            password: "secret".into(),
        };
        Member::new(&config, &host, &login)
    }

    /// A server that takes connections and says nothing, as a frozen one does.
    pub(in crate::store::database) async fn silent() -> (TcpListener, Member) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, member(port))
    }

    /// A port where nobody listens.
    pub(in crate::store::database) async fn refusing() -> Member {
        let (listener, member) = silent().await;
        drop(listener);
        member
    }

    #[tokio::test]
    async fn node_that_says_nothing_is_away_and_not_awaited() {
        let (_listener, node) = silent().await;
        let answer = node.ask().await;
        assert!(
            matches!(answer, Err(sqlx::Error::PoolTimedOut)),
            "{answer:?}"
        );
        assert!(node.is_away() && !node.is_awaited());
    }

    #[tokio::test]
    async fn refused_connection_costs_no_time_and_marks_nothing() {
        let node = refusing().await;
        let began = Instant::now();
        let refused = node.ask().await.unwrap_err();
        assert!(is_refused(&refused), "{refused:?}");
        assert!(began.elapsed() < NODE_ANSWER_GRACE && !node.is_away());
    }

    #[tokio::test]
    async fn work_that_is_cut_off_marks_its_node() {
        let node = refusing().await;
        let work = node.watch(std::future::pending::<Result<(), sqlx::Error>>());
        assert!(timeout(Duration::from_millis(1), work).await.is_err());
        assert!(node.is_away());
    }

    #[tokio::test]
    async fn work_that_fails_or_succeeds_marks_nothing() {
        let node = refusing().await;
        node.watch(async { Ok(()) }).await.unwrap();
        let failed = node.watch(async { Err::<(), _>(sqlx::Error::RowNotFound) });
        assert!(failed.await.is_err());
        assert!(!node.is_away());
    }
}
