//! Carts. Each write is conditional on the version that was read.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DynamoError, Table};
use crate::clock;
use crate::domain::cart::Quantity;
use crate::domain::catalogue::Sku;
use crate::providers::AwsError;
use crate::resilience::{Intent, call};

/// How long a cart is kept after its last change, in seconds.
const KEPT_SECONDS: i64 = 30 * 24 * 3600;

/// A cart as it is stored: quantities only; titles and prices are the catalogue's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCart {
    /// A random UUIDv4: knowing it is the right to use it.
    pub id: Uuid,
    /// Whose it is; nobody's when it was made without signing in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Uuid>,
    /// Counts the changes, from 1.
    pub version: i64,
    /// SKUs and quantities, in the order they were added.
    pub lines: Vec<StoredLine>,
    /// The cart that this one was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<Uuid>,
    /// When it is forgotten, in seconds since 1970.
    pub expires_at: i64,
}

/// A SKU and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLine {
    /// The variant.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

impl StoredCart {
    /// An empty cart of `owner`.
    pub fn empty(owner: Option<Uuid>) -> Self {
        Self {
            id: Uuid::new_v4(),
            owner,
            version: 1,
            lines: Vec::new(),
            merged_into: None,
            expires_at: expiry(),
        }
    }

    /// The cart after a change.
    #[must_use]
    pub fn changed(mut self, lines: Vec<StoredLine>) -> Self {
        self.version += 1;
        self.expires_at = expiry();
        self.lines = lines;
        self
    }

    fn is_expired(&self) -> bool {
        self.expires_at <= clock::now().unix_timestamp()
    }
}

fn expiry() -> i64 {
    clock::now().unix_timestamp() + KEPT_SECONDS
}

type Item = HashMap<String, AttributeValue>;

/// The table of carts.
#[derive(Clone)]
pub struct Carts {
    client: Client,
    table: String,
}

impl Carts {
    /// The carts in `table`.
    pub fn new(table: Table) -> Self {
        Self {
            client: table.client,
            table: table.name,
        }
    }

    /// A cart; `None` when there is none, or it is forgotten.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn cart(&self, id: Uuid) -> Result<Option<StoredCart>, DynamoError> {
        let output = call(Intent::DynamoRead, || async {
            let get = self
                .client
                .get_item()
                .table_name(&self.table)
                .key("id", text(id))
                .consistent_read(true);
            get.send().await.map_err(AwsError::from)
        })
        .await?;
        let cart: Option<StoredCart> = output.item.map(serde_dynamo::from_item).transpose()?;
        // The table's own expiry may be days late.
        Ok(cart.filter(|cart| !cart.is_expired()))
    }

    /// Stores a cart whose version before was one less.
    ///
    /// # Errors
    /// [`DynamoError::ConditionFailed`] when somebody else changed it meanwhile.
    pub async fn put_cart(&self, cart: &StoredCart) -> Result<(), DynamoError> {
        let item: Item = serde_dynamo::to_item(cart)?;
        // A repeat of a write whose answer was lost finds its own version and may pass.
        call(Intent::DynamoWrite, || async {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.clone()));
            let put = put
                .condition_expression("attribute_not_exists(id) or version = :before")
                .expression_attribute_values(":before", number(cart.version - 1));
            put.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    /// Removes a cart, if its version is `version` or any with `None`.
    ///
    /// # Errors
    /// [`DynamoError::ConditionFailed`] when it has another version.
    pub async fn delete_cart(&self, id: Uuid, version: Option<i64>) -> Result<(), DynamoError> {
        call(Intent::DynamoWrite, || async {
            let mut delete = self
                .client
                .delete_item()
                .table_name(&self.table)
                .key("id", text(id));
            if let Some(version) = version {
                delete = delete
                    .condition_expression("attribute_not_exists(id) or version = :version")
                    .expression_attribute_values(":version", number(version));
            }
            delete.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    /// Stores `into` and marks `from` as merged into it, both or neither.
    ///
    /// # Errors
    /// [`DynamoError::ConditionFailed`] when either changed meanwhile.
    pub async fn merge_carts(
        &self,
        from: &StoredCart,
        into: &StoredCart,
    ) -> Result<(), DynamoError> {
        let item: Item = serde_dynamo::to_item(into)?;
        let built = |error: aws_sdk_dynamodb::error::BuildError| DynamoError::Defect(error.into());
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("version = :before")
            .expression_attribute_values(":before", number(into.version - 1))
            .build()
            .map_err(built)?;
        let update = Update::builder()
            .table_name(&self.table)
            .key("id", text(from.id))
            // `lines` is a reserved word there.
            .update_expression("set merged_into = :into, version = version + :one, #lines = :none")
            .expression_attribute_names("#lines", "lines")
            .condition_expression("version = :version and attribute_not_exists(merged_into)")
            .expression_attribute_values(":into", text(into.id))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":version", number(from.version))
            .build()
            .map_err(built)?;
        let writes = [
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().update(update).build(),
        ];
        call(Intent::DynamoWrite, || async {
            let write = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.to_vec()));
            write.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}

fn text(id: Uuid) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
