//! Tables on DynamoDB. They make things faster or reachable, never correct.

pub mod breakers;
pub mod carts;
pub mod control;
pub mod flags;
pub mod intents;
pub mod limits;
pub mod sessions;
pub mod sign_ins;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

use crate::providers::AwsError;
use crate::resilience::{CallError, Class};

/// A failure of DynamoDB.
#[derive(Debug, thiserror::Error)]
pub enum DynamoError {
    /// It cannot be reached, or throttles.
    #[error("dynamodb is not available")]
    Unavailable(#[source] CallError<AwsError>),
    /// The item is not in the state that the write expected.
    #[error("the item has changed")]
    ConditionFailed,
    /// A request that does not fit the table.
    #[error("dynamodb refused a request")]
    Defect(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<CallError<AwsError>> for DynamoError {
    fn from(error: CallError<AwsError>) -> Self {
        match &error {
            CallError::Failed { source, .. } if is_condition(&source.code) => Self::ConditionFailed,
            _ if error.class() == Class::Transient => Self::Unavailable(error),
            _ => Self::Defect(error.into()),
        }
    }
}

/// A transaction is cancelled when one of its conditions fails, or when another
/// one is at the same items: either way it is read and tried again.
fn is_condition(code: &str) -> bool {
    [
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "TransactionConflictException",
    ]
    .contains(&code)
}

impl From<serde_dynamo::Error> for DynamoError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Defect(error.into())
    }
}

/// What reaches the tables: one client, so that they share its connections.
#[derive(Clone)]
pub struct Tables {
    client: Client,
}

/// One table.
pub struct Table {
    client: Client,
    name: String,
}

impl Tables {
    /// Reaches tables through `aws`.
    pub fn new(aws: &SdkConfig) -> Self {
        Self {
            client: Client::new(aws),
        }
    }

    /// The table of that name.
    pub fn table(&self, name: &str) -> Table {
        Table {
            client: self.client.clone(),
            name: name.to_owned(),
        }
    }
}
