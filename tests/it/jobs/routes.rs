//! Jobs as an admin and readiness show them.

use reqwest::Method;
use serde_json::{Value, json};
use shared::state::Ops;
use tests::client::Client;
use tests::shop::{Shop, eventually};
use tests::{Stack, TestDatabase};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use crate::faults::in_the_end;

/// An `ops` of the test's own, on a database of its own; its address.
async fn ops_on(database: &TestDatabase) -> String {
    let state = tests::state_on::<Ops>(database).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, ops::router(state)).await });
    format!("http://{address}")
}

async fn job(client: &Client, name: &str) -> Value {
    let all = client.get("/admin/jobs").await.expect(200).body;
    assert_eq!(all["next_cursor"], Value::Null);
    let mut items = all["items"].as_array().unwrap().iter();
    items.find(|job| job["name"] == name).unwrap().clone()
}

async fn succeeded(database: &TestDatabase, ago: &str) {
    sqlx::query("update jobs set last_succeeded_at = now() - $1::text::interval")
        .bind(ago)
        .execute(database.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn missed_job_shows_in_readiness_and_in_the_list_and_the_shop_goes_on_selling() {
    let (shop, database) = (Shop::open().await, TestDatabase::create().await);
    let admin = shop.admin.at(&ops_on(&database).await);
    succeeded(&database, "1 minute").await;
    // The first to ask also connects, and is not waited for.
    eventually("the schedules are known to be kept", async || {
        let ready = admin.get("/health/ready").await.expect(200).body;
        (ready["checks"]["schedules"]["status"] == "healthy").then_some(())
    })
    .await;
    assert_eq!(job(&admin, "outbox").await["overdue"], false);
    sqlx::query(
        "update jobs set last_succeeded_at = now() - interval '2 hours' where name = 'outbox'",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let ready = admin.get("/health/ready").await.expect(200).body;
    let check = &ready["checks"]["schedules"];
    assert_eq!(
        (&check["status"], &check["detail"]),
        (&json!("degraded"), &json!("outbox: last done 2 h ago"))
    );
    assert_eq!(ready["status"], "degraded");
    let shown = job(&admin, "outbox").await;
    assert_eq!(
        (&shown["overdue"], &shown["function"]),
        (&json!(true), &json!("sweeper"))
    );
    assert_eq!(job(&admin, "refunds").await["overdue"], false);
    // A job that is never done makes nothing worse than that.
    succeeded(&database, "900 days").await;
    let ready = admin.get("/health/ready").await.expect(200).body;
    assert_eq!(ready["checks"]["schedules"]["status"], "degraded");
}

#[tokio::test]
async fn jobs_are_for_admins_and_one_that_is_not_there_is_not_found() {
    let shop = Shop::open().await;
    for path in ["/admin/jobs", "/admin/jobs/outbox"] {
        let _ = shop.customer.get(path).await.expect(403);
    }
    let _ = shop.admin.get("/admin/jobs/teleport").await.expect(404);
}

fn instant(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()
}

/// With the deployed functions.
#[tokio::test]
async fn run_of_the_deployed_sweeper_is_recorded() {
    let shop = Shop::open().await;
    let began = OffsetDateTime::now_utc();
    let path = format!(
        "/2015-03-31/functions/holdfast-{}-sweeper/invocations",
        local::stack::STAGE
    );
    // Beside its schedule, which may be first: one environment runs at a time.
    let tick = Stack::running().aws("lambda", Method::POST, &path);
    let event = crate::tidy::read("events/sweeper-tick.json");
    let _ = tick.body(event).send().await.unwrap();
    let shown = in_the_end("the outbox was swept", async || {
        let shown = shop.admin.get("/admin/jobs/outbox").await.expect(200).body;
        let last = instant(&shown["job"]["last_succeeded_at"])?;
        (last > began).then_some(shown)
    })
    .await;
    let runs = shown["runs"].as_array().unwrap();
    let done = runs.iter().find(|run| run["outcome"] == "done").unwrap();
    assert!(done["count"].as_i64().is_some(), "{done}");
    assert!(instant(&done["finished_at"]) >= instant(&done["started_at"]));
    assert_eq!(shown["job"]["overdue"], false);
    let next = instant(&shown["job"]["next_expected_at"]).unwrap();
    assert!(next > began, "{next}");
}
