//! The schema's version under the deployed functions: an older one is read and not written to, one
//! that a later release has expanded is as good as their own.

use std::time::{Duration, Instant};

use local::postgres::Node;
use serde_json::{Value, json};
use shared::store::migrations;
use sqlx::Executor;
use tests::client::{Answer, Client};
use tests::shop::{Shop, VISA, eventually, new_key, order_of};
use uuid::Uuid;

use super::nodes::Nodes;

async fn register(shop: &Shop) -> Answer {
    let email = format!("{}@buyers.example", Uuid::new_v4().simple());
    let body = json!({"email": email, "password": "tr0mbone&Kelp", "name": "Ada"});
    let anyone = Client::anonymous(&shop.api_url);
    anyone.post("/auth/register", body).await
}

/// Waits until every environment that answers has noticed: three answers like this in a row.
async fn settled(what: &str, ask: impl AsyncFn() -> bool) -> Duration {
    let since = Instant::now();
    eventually(what, async || {
        for _ in 0..3 {
            if !ask().await {
                return None;
            }
        }
        Some(())
    })
    .await;
    since.elapsed()
}

async fn readiness(shop: &Shop) -> Answer {
    Client::anonymous(&shop.api_url).get("/health/ready").await
}

/// A row of the table that says which migrations were applied, as it was.
type Row = (i64, String, Vec<u8>, i64, String);

#[tokio::test]
async fn pending_migration_stops_writes_and_no_reads_until_it_is_applied() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let sku = shop.product(1_000, 10).await;
        let newcomer = shop.newcomer().await;
        let needed = migrations::built_for();
        let mut writer = nodes.connect(Node::Primary).await;
        let last: Row = sqlx::query_as(
            "delete from _sqlx_migrations where version = $1
             returning version, description, checksum, execution_time, installed_on::text",
        )
        .bind(needed)
        .fetch_one(&mut writer)
        .await
        .unwrap();
        let noticed = settled("writes are refused", async || {
            register(&shop).await.status == 503
        })
        .await;
        let seen = std::panic::AssertUnwindSafe(observe(&shop, &newcomer, &sku, needed));
        let seen = futures::FutureExt::catch_unwind(seen).await;
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time, installed_on)
             values ($1, $2, true, $3, $4, $5::timestamptz)",
        )
        .bind(last.0)
        .bind(last.1)
        .bind(last.2)
        .bind(last.3)
        .bind(last.4)
        .execute(&mut writer)
        .await
        .unwrap();
        let order = seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mended = settled("writes are taken again", async || {
            register(&shop).await.status == 202
        })
        .await;
        println!("refused after {noticed:?}, taken again after {mended:?}");
        assert!(mended < Duration::from_secs(5), "{mended:?}");
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        eventually("the accepted order is paid", async || {
            let shown = newcomer.get(&path).await.expect(200).body;
            (shown["status"] == "paid").then_some(())
        })
        .await;
        assert_eq!(readiness(&shop).await.expect(200).body["schema_version"], needed);
    })
    .await;
}

/// What is seen while a migration is pending; the order that was accepted meanwhile.
async fn observe(shop: &Shop, newcomer: &Client, sku: &str, needed: i64) -> Value {
    let refused = register(shop).await.expect(503);
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(refused.problem(), "unavailable");
    let anyone = Client::anonymous(&shop.api_url);
    let list = anyone.get("/products?limit=5").await.expect(200);
    assert!(!list.body["items"].as_array().unwrap().is_empty());
    // The seller's own list is never cached, and comes from the writer.
    let _ = newcomer.get("/orders").await.expect(200);
    let _ = newcomer.get("/wallet").await.expect(200);
    let told = readiness(shop).await.expect(503).body;
    assert_eq!(
        (&told["status"], &told["schema_wanted"]),
        (&json!("unhealthy"), &json!(needed))
    );
    let applied = told["schema_version"].as_i64().unwrap();
    assert!(applied < needed, "{told}");
    let detail = told["checks"]["database_primary"]["detail"]
        .as_str()
        .unwrap();
    let words = format!("the schema is at {applied}, this release needs {needed}");
    assert!(detail.contains(&words), "{detail}");
    // As while no node writes at all: accepted, stored elsewhere, placed afterwards.
    // Until the last-good catalogue has the new product, a client is asked to come back.
    let (key, body) = (new_key(), order_of(sku, 1, VISA));
    let accepted = eventually("the order is accepted", async || {
        let answer = newcomer.post_once("/checkout", &key, &body).await;
        (answer.status == 202).then_some(answer.body)
    })
    .await;
    assert_eq!(accepted["status"], "received");
    accepted
}

/// What a later release may do, of every kind that ARCHITECTURE.md allows, and its undoing.
const EXPAND: &str = "
    create table schema_test_notes (id uuid primary key, order_id uuid references orders (id), note text not null);
    alter table orders add column schema_test_note text;
    alter table orders add column schema_test_priority integer not null default 0;
    create index schema_test_orders on orders (schema_test_note);
    alter table users add column schema_test_phone text;
    alter table products add column schema_test_weight integer check (schema_test_weight > 0);
    alter table payment_attempts add column schema_test_hint text;
    grant select, insert on schema_test_notes to checkout;
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9000, 'expand for a test', true, '', 0);";
const UNDO: &str = "
    delete from _sqlx_migrations where version = 9000;
    drop table if exists schema_test_notes;
    alter table orders drop column if exists schema_test_note, drop column if exists schema_test_priority;
    alter table users drop column if exists schema_test_phone;
    alter table products drop column if exists schema_test_weight;
    alter table payment_attempts drop column if exists schema_test_hint;";

/// The widened constraint, as the database has it now; another order status is allowed beside.
async fn widen_status(connection: &mut sqlx::PgConnection) -> String {
    let present: String = sqlx::query_scalar(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'orders_status_known'",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let inner = present.trim_start_matches("CHECK ");
    let wider = format!(
        "alter table orders drop constraint orders_status_known,
             add constraint orders_status_known check ({inner} or status = 'held')"
    );
    connection.execute(wider.as_str()).await.unwrap();
    format!(
        "alter table orders drop constraint orders_status_known,
             add constraint orders_status_known {present}"
    )
}

#[tokio::test]
async fn release_before_goes_on_working_after_an_expand_migration() {
    Nodes::whole_again_after(async |nodes| {
        let shop = Shop::open().await;
        let mut writer = nodes.connect(Node::Primary).await;
        writer.execute(UNDO).await.unwrap();
        writer.execute(EXPAND).await.unwrap();
        let narrow = widen_status(&mut writer).await;
        let flow = std::panic::AssertUnwindSafe(sell(&shop));
        let flow = futures::FutureExt::catch_unwind(flow).await;
        writer.execute(narrow.as_str()).await.unwrap();
        writer.execute(UNDO).await.unwrap();
        flow.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    })
    .await;
}

/// What customers and sellers do in a day.
async fn sell(shop: &Shop) {
    let told = readiness(shop).await.expect(200).body;
    assert_eq!(told["schema_version"], 9000);
    assert_ne!(told["status"], "unhealthy");
    let newcomer = shop.newcomer().await;
    let sku = shop.product(1_000, 10).await;
    let anyone = Client::anonymous(&shop.api_url);
    let _ = anyone.get("/products?limit=5").await.expect(200);
    let _ = anyone.get(&format!("/products?q={sku}")).await.expect(200);
    let body = order_of(&sku, 2, VISA);
    let placed = newcomer.post_once("/checkout", &new_key(), &body).await;
    let order = placed.expect(201).body;
    assert_eq!(order["status"], "paid");
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    let cancelled = newcomer.post(&format!("{path}/cancel"), json!({})).await;
    let _ = cancelled.expect(200);
    let _ = newcomer.get(&path).await.expect(200);
}
