//! What more than one function does, where two dependencies meet: the database
//! and the payment provider, or the last-good catalogue. Effects are in transactions,
//! under the provider's idempotency keys, or the same each time, so each operation
//! may be cut off anywhere and run again.

pub mod cancel_order;
pub mod finish_intent;
pub mod place_order;
pub mod project_catalogue;
pub mod reconcile;
pub mod record_payment;
pub mod refund_order;
pub mod settle_payment;
mod tally;

use crate::domain::money::MoneyError;
use crate::domain::order::OrderError;
use crate::dynamo::DynamoError;
use crate::providers::payments::PaymentError;
use crate::resilience::{Class, Classify};
use crate::store::StoreError;

pub use tally::Tally;

/// Why an operation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The order does not allow it.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// DynamoDB failed.
    #[error(transparent)]
    Dynamo(#[from] DynamoError),
    /// The payment provider failed.
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

impl OperationError {
    /// Whether a dependency was away, so that nothing is known to be wrong with what was asked.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Order(_) => false,
            Self::Store(error) => matches!(error, StoreError::Unavailable(_)),
            Self::Dynamo(error) => matches!(error, DynamoError::Unavailable(_)),
            Self::Payment(error) => error.class() == Class::Transient,
        }
    }
}

impl From<sqlx::Error> for OperationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<MoneyError> for OperationError {
    fn from(_: MoneyError) -> Self {
        Self::Order(OrderError::TotalTooLarge)
    }
}
