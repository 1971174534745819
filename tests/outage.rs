//! A shop without its database: checkout in the test's own process, whose nodes are at a closed
//! port, with tables and a last-good catalogue of the test's own, so that nobody else finishes what
//! is accepted here.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use serde_json::{Value, json};
use shared::events::handle_batch;
use shared::state::{AppState, OrderWorker, Parts};
use shared::store::last_good::AllRates;
use shared::store::{rates, reservations};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::Stack;
use crate::client::Client;
use crate::shop::{Shop, eventually, new_key, order_of};
use crate::state::Changed;

/// Nobody listens there: the port is privileged and belongs to `discard`.
const NOWHERE: &str = "127.0.0.1:9";

/// An outage of the database, and what finishes its orders afterwards.
pub struct Outage {
    /// The shop as it is deployed, whose database works.
    pub shop: Shop,
    /// The worker, whose database works.
    pub worker: AppState<OrderWorker>,
    variables: Vec<(&'static str, String)>,
    api_url: String,
}

impl Outage {
    /// Takes the database away from a checkout of the test's own.
    ///
    /// # Panics
    /// The stack does not run.
    pub async fn begin() -> Self {
        let id = Uuid::new_v4().simple();
        let (table, bucket) = (format!("intents-{id}"), format!("catalogue-{id}"));
        create_table(&table).await;
        let place = format!(
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
            local::aws::REGION
        );
        put(&bucket, place.into_bytes()).await;
        let variables = vec![("INTENTS_TABLE", table), ("CATALOGUE_BUCKET", bucket)];
        let worker = deployed(&variables).await;
        let outage = Self {
            shop: Shop::open().await,
            worker,
            api_url: String::new(),
            variables,
        };
        let nowhere = [
            ("DB_HOSTS", NOWHERE.to_owned()),
            ("ORDERS_QUEUE_URL", format!("http://{NOWHERE}/orders")),
        ];
        let api_url = outage.checkout(&nowhere).await;
        outage.keep_rates().await;
        Self { api_url, ..outage }
    }

    /// Somebody at the checkout that has no database.
    pub fn client(&self, client: &Client) -> Client {
        client.at(&self.api_url)
    }

    /// A function in this process, with this outage's tables and `changes`.
    pub async fn function<P: Parts>(&self, changes: &[(&'static str, String)]) -> AppState<P> {
        let variables = [self.variables.as_slice(), changes].concat();
        deployed(&variables).await
    }

    /// Serves a checkout with this outage's tables and `changes`; its address.
    ///
    /// # Panics
    /// It cannot listen.
    pub async fn checkout(&self, changes: &[(&'static str, String)]) -> String {
        let state = self.function(changes).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, checkout::router(state)).await });
        format!("http://{address}")
    }

    /// Keeps what the shop sells a SKU for, less `discount_minor`, in the last-good catalogue.
    ///
    /// # Panics
    /// It is not for sale.
    pub async fn keep(&self, sku: &str, discount_minor: i64) {
        let mut tx = self.worker.database.begin().await.unwrap();
        let offers = reservations::offers(&mut *tx, &[sku.to_owned()]).await;
        let mut offer = offers.unwrap().pop().unwrap();
        offer.price_minor -= discount_minor;
        let path = format!("{}/skus/{sku}.json", self.bucket());
        put(&path, serde_json::to_vec(&offer).unwrap()).await;
    }

    async fn keep_rates(&self) {
        let mut tx = self.worker.database.begin().await.unwrap();
        let shipping = rates::all_shipping(&mut *tx).await.unwrap();
        let tax = rates::all_tax(&mut *tx).await.unwrap();
        let all = serde_json::to_vec(&AllRates { shipping, tax }).unwrap();
        put(&format!("{}/rates.json", self.bucket()), all).await;
    }

    fn bucket(&self) -> &str {
        &self.variables[1].1
    }
}

/// Somebody new, and what they want.
#[derive(Debug)]
pub struct Buyer {
    /// The customer at the deployed shop.
    pub client: Client,
    /// Their id.
    pub id: String,
    /// Their address.
    pub email: String,
    /// What they want.
    pub sku: String,
}

impl Buyer {
    /// The product has `stock` units, and costs 10 EUR less `discount_minor` in the last-good catalogue.
    ///
    /// # Panics
    /// They cannot register.
    pub async fn come(outage: &Outage, stock: i64, discount_minor: i64) -> Self {
        let sku = outage.shop.product(1000, stock).await;
        outage.keep(&sku, discount_minor).await;
        let client = outage.shop.newcomer().await;
        let me = client.get("/auth/me").await.expect(200).body;
        let text = |name: &str| me[name].as_str().unwrap().to_owned();
        Self {
            id: text("id"),
            email: text("email"),
            client,
            sku,
        }
    }

    /// Orders `quantity` during the outage.
    ///
    /// # Panics
    /// It is not accepted.
    pub async fn order(&self, outage: &Outage, quantity: i64, token: &str) -> Value {
        let body = order_of(&self.sku, quantity, token);
        let away = outage.client(&self.client);
        let answer = away.post_once("/checkout", &new_key(), &body).await;
        answer.expect(202).body
    }

    /// The order as the shop shows it.
    ///
    /// # Panics
    /// It does not.
    pub async fn shown(&self, order: &Value) -> Value {
        self.client.get(&path(order)).await.expect(200).body
    }

    /// The order after a worker was nudged about it.
    ///
    /// # Panics
    /// The worker is not done with it.
    pub async fn finish(&self, outage: &Outage, order: &Value) -> Value {
        assert!(nudge(&outage.worker, order, &self.id).await);
        self.shown(order).await
    }

    /// Waits for a mail with these words.
    ///
    /// # Panics
    /// There is none in time.
    pub async fn is_told(&self, words: &str) {
        eventually(words, async || {
            let mails = mails_to(&self.email).await;
            mails.iter().any(|mail| mail.contains(words)).then_some(())
        })
        .await;
    }
}

/// The path of an order.
///
/// # Panics
/// It has no id.
pub fn path(order: &Value) -> String {
    format!("/orders/{}", order["id"].as_str().unwrap())
}

/// One test plays several environments, which share its breakers: lets that of the database's
/// writer, which opened in the environment without one, try again in the environment with one.
pub async fn elsewhere() {
    const LONGER_THAN_IT_IS_OPEN: std::time::Duration = std::time::Duration::from_millis(400);
    tokio::time::sleep(LONGER_THAN_IT_IS_OPEN).await;
}

/// Hands the worker the nudge about an accepted order; whether it is done with it.
pub async fn nudge(worker: &AppState<OrderWorker>, order: &Value, customer: &str) -> bool {
    elsewhere().await;
    let order_id = order["id"].as_str().unwrap();
    let data = json!({"customer_id": customer, "order_id": order_id});
    let body = json!({
        "id": Uuid::now_v7(), "type": "order_received", "version": 1, "aggregate_id": order_id,
        "sequence": 0, "occurred_at": "2026-11-01T12:00:00Z",
        "payload": {"type": "order_received", "data": data},
    });
    let mut message = SqsMessage::default();
    message.message_id = Some("1".to_owned());
    message.body = Some(body.to_string());
    let mut batch = SqsEvent::default();
    batch.records = vec![message];
    let handle = |envelope, event| order_worker::handle(worker.clone(), envelope, event);
    handle_batch(worker, batch, handle)
        .await
        .batch_item_failures
        .is_empty()
}

/// What was charged for an order at the provider, in minor units.
///
/// # Panics
/// The sandbox does not answer.
pub async fn charges(order: &Value) -> Vec<i64> {
    let stack = Stack::running();
    let movements = stack.movements(order["id"].as_str().unwrap()).await;
    movements
        .iter()
        .filter(|entry| ["charge", "capture"].contains(&entry["kind"].as_str().unwrap()))
        .map(|entry| entry["amount"].as_i64().unwrap())
        .collect()
}

/// The mails that somebody got so far.
///
/// # Panics
/// The emulator does not answer.
pub async fn mails_to(email: &str) -> Vec<String> {
    let mails = Stack::running().ses_mails_to(email).await;
    mails.iter().map(ToString::to_string).collect()
}

/// A function's state in this process, as it is deployed but for `changes`, on the shop's own database.
async fn deployed<P: Parts>(changes: &[(&'static str, String)]) -> AppState<P> {
    let changed = changes
        .iter()
        .fold(Changed::new(), |changed, (name, value)| {
            changed.with(name, value)
        });
    changed.state().await
}

async fn create_table(name: &str) {
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let index = json!({
        "IndexName": "pending", "Projection": {"ProjectionType": "ALL"},
        "KeySchema": [key("state", "HASH"), key("pending_since", "RANGE")],
    });
    let since = json!({"AttributeName": "pending_since", "AttributeType": "N"});
    let table = json!({
        "TableName": name, "BillingMode": "PAY_PER_REQUEST", "GlobalSecondaryIndexes": [index],
        "AttributeDefinitions": [text("customer_id"), text("order_id"), text("state"), since],
        "KeySchema": [key("customer_id", "HASH"), key("order_id", "RANGE")],
    });
    let request = reqwest::Client::new()
        .post(Stack::running().aws_endpoint_url)
        .header("authorization", identity("dynamodb"))
        .header("x-amz-target", "DynamoDB_20120810.CreateTable")
        .header("content-type", "application/x-amz-json-1.0")
        .body(table.to_string());
    let answer = request.send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

/// Makes a bucket, or an object in one.
async fn put(path: &str, bytes: Vec<u8>) {
    let url = format!("{}/{path}", Stack::running().aws_endpoint_url);
    let request = reqwest::Client::new()
        .put(url)
        .header("authorization", identity("s3"))
        .body(bytes);
    let answer = request.send().await.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

/// The emulator looks only at whose key it is.
fn identity(service: &str) -> String {
    let (key, region) = (local::aws::ACCESS_KEY, local::aws::REGION);
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
