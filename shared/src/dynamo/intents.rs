//! Orders that were accepted while no database node took writes. What stands here
//! is the truth about them until a worker has placed them; every message about
//! them is only a nudge.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DynamoError, Table};
use crate::clock;
use crate::domain::intent::{IntentState, OrderIntent};
use crate::providers::AwsError;
use crate::resilience::{Intent, call};

/// How long an intent is kept after its order was placed, in seconds: its key may
/// come again.
const KEPT_SECONDS: i64 = 35 * 24 * 3600;

/// Orders per page of the sweeper's list: a full megabyte takes longer than a read may.
const PER_PAGE: i32 = 100;

/// The index of those that wait, by the time they came: only they have `pending_since`.
const PENDING: &str = "pending";

type Item = HashMap<String, AttributeValue>;

/// The table of accepted orders.
#[derive(Clone)]
pub struct Intents {
    client: Client,
    table: String,
    last_accepted: Arc<Mutex<Option<OrderIntent>>>,
}

impl Intents {
    /// The accepted orders in `table`.
    pub fn new(table: Table) -> Self {
        Self {
            client: table.client,
            table: table.name,
            last_accepted: Arc::default(),
        }
    }

    /// Stores an accepted order, unless there is one under its id; the one that
    /// is stored now, this or the earlier one. Two requests: one only when it is new.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn accept(&self, intent: OrderIntent) -> Result<OrderIntent, DynamoError> {
        let mut item: Item = serde_dynamo::to_item(&intent)?;
        item.insert("pending_since".into(), microseconds(intent.received_at));
        let put = call(Intent::DynamoWrite, || async {
            self.client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(customer_id)")
                .send()
                .await
                .map_err(AwsError::from)
        });
        let stored = match put.await.map_err(DynamoError::from) {
            Ok(_) => intent,
            Err(DynamoError::ConditionFailed) => {
                let before = self.find(intent.customer_id, intent.order_id).await?;
                before.ok_or(DynamoError::ConditionFailed)?
            }
            Err(error) => return Err(error),
        };
        *self.last() = Some(stored.clone());
        Ok(stored)
    }

    /// The order that this environment accepted last, once: when the database is
    /// back, somebody must be told.
    pub fn take_last_accepted(&self) -> Option<OrderIntent> {
        self.last().take()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<OrderIntent>> {
        self.last_accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An accepted order, whether or not it was placed meanwhile.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn find(
        &self,
        customer: Uuid,
        order: Uuid,
    ) -> Result<Option<OrderIntent>, DynamoError> {
        self.get(Intent::DynamoRead, customer, order).await
    }

    /// The same, for those who go on without it: one brief attempt.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn glance(
        &self,
        customer: Uuid,
        order: Uuid,
    ) -> Result<Option<OrderIntent>, DynamoError> {
        self.get(Intent::IntentRead, customer, order).await
    }

    async fn get(
        &self,
        intent: Intent,
        customer: Uuid,
        order: Uuid,
    ) -> Result<Option<OrderIntent>, DynamoError> {
        let output = call(intent, || async {
            self.client
                .get_item()
                .table_name(&self.table)
                .set_key(Some(key(customer, order)))
                .consistent_read(true)
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(output.item.map(serde_dynamo::from_item).transpose()?)
    }

    /// A customer's orders that wait, in no order.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn of_customer(&self, customer: Uuid) -> Result<Vec<OrderIntent>, DynamoError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("customer_id = :customer")
            .filter_expression("attribute_exists(pending_since)")
            .expression_attribute_values(":customer", text(customer))
            .consistent_read(true);
        self.all(Intent::IntentRead, query, usize::MAX).await
    }

    /// Everybody's orders that wait, the newest first, at most `limit`, from `until` back.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn newest(
        &self,
        until: Option<OffsetDateTime>,
        limit: usize,
    ) -> Result<Vec<OrderIntent>, DynamoError> {
        let query = self.waiting().scan_index_forward(false);
        let query = match until {
            Some(until) => query
                .key_condition_expression("#state = :pending and pending_since <= :until")
                .expression_attribute_values(":until", microseconds(until)),
            None => query.key_condition_expression("#state = :pending"),
        };
        self.all(Intent::IntentRead, query, limit).await
    }

    /// Everybody's orders that wait, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn oldest(&self, limit: usize) -> Result<Vec<OrderIntent>, DynamoError> {
        let query = self.waiting().limit(PER_PAGE);
        let query = query.key_condition_expression("#state = :pending");
        self.all(Intent::DynamoRead, query, limit).await
    }

    /// An order that waits, by its id alone. Looks through all that wait.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn waiting_order(&self, order: Uuid) -> Result<Option<OrderIntent>, DynamoError> {
        let query = self
            .waiting()
            .key_condition_expression("#state = :pending")
            .filter_expression("order_id = :order")
            .expression_attribute_values(":order", text(order));
        Ok(self.all(Intent::IntentRead, query, 1).await?.pop())
    }

    fn waiting(&self) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(PENDING)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", AttributeValue::S(PENDING.to_owned()))
    }

    async fn all(
        &self,
        intent: Intent,
        query: QueryFluentBuilder,
        limit: usize,
    ) -> Result<Vec<OrderIntent>, DynamoError> {
        let mut intents: Vec<OrderIntent> = Vec::new();
        let mut start = None;
        loop {
            let output: QueryOutput = call(intent, || async {
                let page = query.clone().set_exclusive_start_key(start.clone());
                page.send().await.map_err(AwsError::from)
            })
            .await?;
            intents.extend(serde_dynamo::from_items::<_, OrderIntent>(
                output.items.unwrap_or_default(),
            )?);
            start = output.last_evaluated_key;
            if start.is_none() || intents.len() >= limit {
                intents.truncate(limit);
                return Ok(intents);
            }
        }
    }

    /// Marks an order as placed: the database tells the rest.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn mark_done(&self, intent: &OrderIntent) -> Result<(), DynamoError> {
        let expires_at = clock::now().unix_timestamp() + KEPT_SECONDS;
        let done = serde_dynamo::to_attribute_value::<_, AttributeValue>(IntentState::Done)?;
        call(Intent::DynamoWrite, || async {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key(intent.customer_id, intent.order_id)))
                .update_expression("set #state = :done, expires_at = :at remove pending_since")
                .condition_expression("attribute_exists(customer_id)")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":done", done.clone())
                .expression_attribute_values(":at", AttributeValue::N(expires_at.to_string()))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}

fn key(customer: Uuid, order: Uuid) -> Item {
    [("customer_id", text(customer)), ("order_id", text(order))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn text(value: Uuid) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn microseconds(at: OffsetDateTime) -> AttributeValue {
    AttributeValue::N((at.unix_timestamp_nanos() / 1000).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::intent::tests::intent;
    use crate::domain::payment::Means;

    #[test]
    fn intent_is_read_back_from_its_item() {
        for means in [
            Means::Token("pm_card_visa".into()),
            Means::SavedCard(Uuid::from_u128(9)),
            Means::Wallet,
        ] {
            let intent = OrderIntent { means, ..intent() };
            let mut item: Item = serde_dynamo::to_item(&intent).unwrap();
            item.insert("pending_since".into(), microseconds(intent.received_at));
            assert_eq!(item["customer_id"], text(intent.customer_id));
            assert_eq!(item["state"], AttributeValue::S(PENDING.into()));
            let read: OrderIntent = serde_dynamo::from_item(item).unwrap();
            assert_eq!(read, intent);
        }
    }
}
