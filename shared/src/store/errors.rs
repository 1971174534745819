//! What can go wrong in the database, and whether trying again can help.

use super::database::PendingMigrations;
use crate::resilience::{CallError, Class, Classify};

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or is too slow; nothing is known to be wrong with the request.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A constraint refused the change, and no caller expected it.
    #[error("constraint {0} refused the change")]
    Constraint(String, #[source] sqlx::Error),
    /// A defect: SQL that does not fit the schema.
    #[error("the database refused a statement")]
    Defect(#[source] sqlx::Error),
}

/// SQLSTATE classes that pass by themselves: connection exceptions, transaction
/// rollbacks (serialisation, deadlock), resources, operator intervention (a
/// failover, a cancelled statement), a locked row.
const TRANSIENT: [&str; 6] = ["08", "40", "53", "57", "55P03", "25006"];

impl Classify for sqlx::Error {
    fn class(&self) -> Class {
        match self {
            Self::Database(error) => {
                let code = error.code().unwrap_or_default();
                let passes = TRANSIENT.iter().any(|prefix| code.starts_with(prefix));
                if passes {
                    Class::Transient
                } else {
                    Class::Caller
                }
            }
            Self::Io(_)
            | Self::PoolTimedOut
            | Self::PoolClosed
            | Self::Tls(_)
            | Self::Protocol(_) => Class::Transient,
            _ => Class::Permanent,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if error.class() == Class::Transient {
            return Self::Unavailable(error.into());
        }
        match error
            .as_database_error()
            .and_then(|database| database.constraint())
        {
            Some(constraint) => Self::Constraint(constraint.to_owned(), error),
            None => Self::Defect(error),
        }
    }
}

impl From<PendingMigrations> for StoreError {
    fn from(pending: PendingMigrations) -> Self {
        Self::Unavailable(pending.into())
    }
}

impl From<CallError<sqlx::Error>> for StoreError {
    fn from(error: CallError<sqlx::Error>) -> Self {
        match error {
            CallError::Failed { source, .. } => source.into(),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl StoreError {
    /// The constraint that refused the change.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint(name, _) => Some(name),
            _ => None,
        }
    }
}

/// Why a change was not made: a rule of the domain, or the database.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// A rule refused it.
    #[error(transparent)]
    Refused(E),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<E> From<sqlx::Error> for ChangeError<E> {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Turns a named constraint's refusal into a domain error.
pub trait OnConstraint<T> {
    /// `Err(refusal())` when `constraint` refused the change; other errors stay.
    ///
    /// # Errors
    /// The refusal, or the error as it was.
    fn on_constraint<E: From<StoreError>>(
        self,
        constraint: &str,
        refusal: impl FnOnce() -> E,
    ) -> Result<T, E>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint<E: From<StoreError>>(
        self,
        constraint: &str,
        refusal: impl FnOnce() -> E,
    ) -> Result<T, E> {
        self.map_err(|error| {
            let error = StoreError::from(error);
            if error.constraint() == Some(constraint) {
                refusal()
            } else {
                error.into()
            }
        })
    }
}
