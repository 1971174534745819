//! A transaction: what runs in it is bounded, and so is its commit.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Postgres, Transaction};

use super::Database;
use super::node::Member;
use crate::context;
use crate::resilience::Intent;
use crate::resilience::policies::{TRANSACTION_SUSPECT_AFTER, policy};
use crate::store::StoreError;

/// What statements run on inside of a transaction.
pub type Connection = PgConnection;

impl Database {
    /// Runs statements in a transaction of their own and commits it. They are bounded
    /// together, as by [`within`].
    ///
    /// # Errors
    /// A statement's, or as [`Database::begin`], [`within`] and [`commit`]. Without `Ok`
    /// nothing of it stays, except that a commit whose answer was lost may have happened.
    pub async fn write<T>(
        &self,
        statements: impl AsyncFnOnce(&mut Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let mut tx = self.begin().await?;
        let value = statement(statements(&mut tx)).await?;
        commit(tx).await?;
        Ok(value)
    }

    /// Runs statements, and what is concluded from them, in a transaction of their own and
    /// commits it. All of it is bounded as by [`within`]; the work's own error rolls back.
    ///
    /// # Errors
    /// The work's own, or as [`Database::write`].
    pub async fn transact<T, E: From<StoreError>>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = self.begin().await?;
        let value = within(work(&mut tx)).await?;
        commit(tx).await?;
        Ok(value)
    }
}

/// A transaction on the node that accepts writes. Dropped, it is rolled back.
pub struct Tx {
    transaction: Transaction<'static, Postgres>,
    open: Open,
}

impl Tx {
    pub(super) fn new(transaction: Transaction<'static, Postgres>, node: &Arc<Member>) -> Self {
        Self {
            transaction,
            open: Open {
                node: Arc::clone(node),
                since: Instant::now(),
                ended: false,
            },
        }
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

/// The node of a transaction that has not ended.
struct Open {
    node: Arc<Member>,
    since: Instant,
    ended: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() >= TRANSACTION_SUSPECT_AFTER {
            self.node.avoid();
        }
    }
}

/// Runs what is done on an open transaction, for no longer than its policy and
/// the deadline allow: a server that was frozen in the middle of it says nothing.
/// Whether it had its effect is not known then; without a commit it had none.
///
/// # Errors
/// The work's own, or that it took too long.
pub async fn within<T, E: From<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(write_timeout(), work).await {
        Ok(result) => result,
        Err(elapsed) => Err(StoreError::Unavailable(elapsed.into()).into()),
    }
}

/// Runs one statement, or what is as short, bounded as by [`within`].
///
/// # Errors
/// The database's, or that it took too long.
pub async fn statement<T, E: Into<StoreError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    within(async { work.await.map_err(Into::into) }).await
}

/// Commits. When the answer is lost, whether it committed is not known: the
/// caller finds out by its key.
///
/// # Errors
/// The database's.
pub async fn commit(tx: Tx) -> Result<(), StoreError> {
    let Tx {
        transaction,
        mut open,
    } = tx;
    // From here on, the commit itself is watched.
    open.ended = true;
    let commit = open.node.watch(transaction.commit());
    match tokio::time::timeout(write_timeout(), commit).await {
        Ok(committed) => Ok(committed?),
        Err(elapsed) => Err(StoreError::Unavailable(elapsed.into())),
    }
}

fn write_timeout() -> Duration {
    let timeout = Duration::from_millis(policy(Intent::DatabaseWrite).attempt_timeout_ms.into());
    timeout.min(context::deadline().remaining())
}
