//! Kill switches.

use serde::{Deserialize, Serialize};

use super::DynamoError;
use super::control::{Change, Control, Item, flag_key};
use crate::domain::flags::{FeatureDisabled, Flag};
use crate::providers::AwsError;
use crate::resilience::{Intent, call};

/// A switch that somebody has moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFlag {
    /// Whether the feature is on.
    pub enabled: bool,
    /// Who moved it last.
    pub change: Change,
}

/// The switches.
#[derive(Clone)]
pub struct Flags(Control);

impl Flags {
    /// The switches in `control`.
    pub fn new(control: Control) -> Self {
        Self(control)
    }

    /// Lets a feature's request through. Costs nothing while what is known is young;
    /// while the table is away the last word holds, and on before there was any.
    ///
    /// # Errors
    /// It is switched off.
    pub async fn require(&self, flag: Flag) -> Result<(), FeatureDisabled> {
        self.0.refresh().await;
        match self.0.known().flags.get(flag.name()) {
            Some(StoredFlag { enabled: false, .. }) => Err(FeatureDisabled(flag)),
            Some(_) | None => Ok(()),
        }
    }

    /// Every switch as the table has it now; `None` for one that nobody has ever moved.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn all(&self) -> Result<Vec<(Flag, Option<StoredFlag>)>, DynamoError> {
        let snapshot = self.0.read().await?;
        let stored = |flag: Flag| (flag, snapshot.flags.get(flag.name()).cloned());
        Ok(Flag::ALL.map(stored).into())
    }

    /// Moves a switch. Other environments know it within
    /// [`CONTROL_TTL`](crate::resilience::policies::CONTROL_TTL).
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn set(&self, flag: Flag, stored: &StoredFlag) -> Result<(), DynamoError> {
        let mut item: Item = serde_dynamo::to_item(stored)?;
        item.insert("name".to_owned(), flag_key(flag));
        call(Intent::ControlWrite, || async {
            let put = self.0.client.put_item().table_name(&self.0.table);
            let put = put.set_item(Some(item.clone()));
            put.send().await.map_err(AwsError::from)
        })
        .await?;
        // What this environment says next shall be what was just written.
        self.0.read().await.map(drop)
    }
}
