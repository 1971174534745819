//! The table of what operators and breakers say, read whole every few seconds: it is
//! a handful of items, and then no request waits for one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::breakers::StoredBreaker;
use super::flags::StoredFlag;
use super::{DynamoError, Table};
use crate::clock;
use crate::domain::flags::Flag;
use crate::providers::AwsError;
use crate::resilience::policies::CONTROL_TTL;
use crate::resilience::{Dependency, Intent, call};
use crate::telemetry;

/// Begins the keys of switches.
const FLAG: &str = "flag#";
/// Begins the keys of breakers.
const BREAKER: &str = "breaker#";

pub(super) type Item = HashMap<String, AttributeValue>;

/// Who changed something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The admin's account.
    pub by: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why.
    pub reason: String,
}

/// What the table says.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) flags: HashMap<&'static str, StoredFlag>,
    pub(super) breakers: HashMap<&'static str, StoredBreaker>,
}

/// The table, and what was last read of it.
#[derive(Clone)]
pub struct Control {
    pub(super) client: Client,
    pub(super) table: String,
    /// Who this environment is when it asks to be the one that finds out.
    pub(super) environment: String,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    snapshot: Arc<Snapshot>,
    read_again_ms: i64,
}

impl Control {
    /// Reads `table`. Nothing is read before it is needed.
    pub fn new(table: Table) -> Self {
        Self {
            client: table.client,
            table: table.name,
            environment: Uuid::new_v4().to_string(),
            known: Arc::default(),
        }
    }

    /// Reads the table if what is known is older than [`CONTROL_TTL`]. One call waits for
    /// that, briefly; others go on with what is known, and so does everyone while it is away.
    pub async fn refresh(&self) {
        let now_ms = clock::now_ms();
        {
            let mut known = self.lock();
            if now_ms < known.read_again_ms {
                return;
            }
            known.read_again_ms = now_ms.saturating_add(ttl_ms());
        }
        if let Err(error) = self.read().await {
            let error = telemetry::chain(&error);
            tracing::warn!(error, "switches and breakers stay as they were");
        }
    }

    /// Reads the table now.
    ///
    /// # Errors
    /// DynamoDB's.
    pub(super) async fn read(&self) -> Result<Arc<Snapshot>, DynamoError> {
        let output = call(Intent::ControlRead, || async {
            self.client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        let snapshot = Arc::new(snapshot(output.items.unwrap_or_default()));
        let mut known = self.lock();
        known.snapshot = Arc::clone(&snapshot);
        known.read_again_ms = clock::now_ms().saturating_add(ttl_ms());
        Ok(snapshot)
    }

    /// What was read last; empty before anything was.
    pub(super) fn known(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a switch.
pub(super) fn flag_key(flag: Flag) -> AttributeValue {
    AttributeValue::S(format!("{FLAG}{}", flag.name()))
}

/// The key of a breaker.
pub(super) fn breaker_key(dependency: Dependency) -> AttributeValue {
    AttributeValue::S(format!("{BREAKER}{}", dependency.name()))
}

/// What the items say. One that cannot be read, or that an older or newer release wrote, is left out.
fn snapshot(items: Vec<Item>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for item in items {
        let Some(Ok(name)) = item.get("name").map(AttributeValue::as_s) else {
            continue;
        };
        let flag = name.strip_prefix(FLAG).and_then(Flag::from_name);
        let breaker = name.strip_prefix(BREAKER).and_then(Dependency::from_name);
        let read = match (flag, breaker) {
            (Some(flag), _) => {
                serde_dynamo::from_item(item).map(|it| drop(snapshot.flags.insert(flag.name(), it)))
            }
            (_, Some(breaker)) => serde_dynamo::from_item(item)
                .map(|it| drop(snapshot.breakers.insert(breaker.name(), it))),
            (None, None) => Ok(()),
        };
        if let Err(error) = read {
            tracing::error!(error = %error, "an item of the control table cannot be read");
        }
    }
    snapshot
}

fn ttl_ms() -> i64 {
    i64::try_from(CONTROL_TTL.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::Forced;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    #[test]
    fn items_are_read_and_strange_ones_left_out() {
        let change = Change {
            by: Uuid::nil(),
            at: OffsetDateTime::UNIX_EPOCH,
            reason: "stock is wrong".to_owned(),
        };
        let flag = StoredFlag {
            enabled: false,
            change: change.clone(),
        };
        let mut stored: Item = serde_dynamo::to_item(&flag).unwrap();
        stored.insert("name".to_owned(), flag_key(Flag::Checkout));
        let number = |value: &str| AttributeValue::N(value.to_owned());
        let breaker: Item = [
            ("name", breaker_key(Dependency::Payments)),
            ("version", number("3")),
            ("open_until_ms", number("1700000000000")),
            ("forced", text("open")),
            ("prober", text("somebody")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let unknown: Item = [("name".to_owned(), text("flag#teleport"))].into();
        let damaged: Item = [("name".to_owned(), flag_key(Flag::Carts))].into();
        let read = snapshot(vec![stored, breaker, unknown, damaged]);
        assert_eq!(read.flags.len(), 1);
        assert_eq!(read.flags["checkout"], flag);
        let shared = read.breakers["payments"].shared();
        assert_eq!(shared.version, 3);
        assert_eq!(shared.open_until_ms, Some(1_700_000_000_000));
        assert_eq!(shared.forced, Some(Forced::Open));
    }
}
