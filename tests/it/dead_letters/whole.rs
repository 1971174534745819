//! A bug lets messages die, it is mended, and they are replayed in bulk by the deployed functions
//! while the replayer is killed.

use super::event;
use crate::faults::in_the_end;
use local::process::{self, Signal, environments_of};
use local::stack::STAGE;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::Stack;
use tests::shop::{Shop, eventually};
use uuid::Uuid;

/// Sends a message to a deployed queue, `mail` or `mail-dlq`.
pub(crate) async fn send(queue: &str, body: &str, attributes: &Value) {
    let stack = Stack::running();
    let url = stack.environment("mailer").await["MAIL_QUEUE_URL"].clone();
    let url = url.replace("-mail", &format!("-{queue}"));
    let message = json!({"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes});
    let request = stack
        .aws("sqs", Method::POST, "/")
        .header("x-amz-target", "AmazonSQS.SendMessage")
        .header("content-type", "application/x-amz-json-1.0")
        .body(message.to_string());
    let _ = request.send().await.unwrap().error_for_status().unwrap();
}

/// How many of a replay are where.
async fn far(shop: &Shop, replay: &str, status: &str) -> i64 {
    let path = format!("/admin/dead-letters/stats?replay_id={replay}");
    let counts = shop.admin.get(&path).await.expect(200).body;
    let items = counts["items"].as_array().unwrap().iter();
    let there = items.filter(|part| part["status"] == status);
    there.map(|part| part["count"].as_i64().unwrap()).sum()
}

/// Has the replayer run now, beside its schedule.
async fn tick() {
    const PATIENCE: Duration = Duration::from_secs(5);
    let path = format!("/2015-03-31/functions/holdfast-{STAGE}-dlq-replayer/invocations");
    let event = crate::tidy::read("events/dlq-replayer-tick.json");
    let request = Stack::running().aws("lambda", Method::POST, &path);
    // One that is killed has no answer.
    let _ = tokio::time::timeout(PATIENCE, request.body(event).send()).await;
}

#[tokio::test]
async fn bulk_replay_survives_kills_and_parks_what_can_never_work() {
    const GOOD: i64 = 30;
    const POISON: i64 = 3;
    let (shop, local) = (Shop::open().await, tests::stack::local());
    let text = |value: &str| json!({"StringValue": value, "DataType": "String"});
    // No other test has these, so nobody else replays them.
    let attributes = json!({
        "error_class": text("panic"), "error": text("the handler panicked"), "attempts": text("5"),
    });
    for _ in 0..GOOD {
        send("mail-dlq", &event(Uuid::now_v7(), 1), &attributes).await;
    }
    for _ in 0..POISON {
        let poison = event(Uuid::now_v7(), 1).replace("order_paid", "order_flown");
        send("mail-dlq", &poison, &attributes).await;
    }
    let asked = |dry_run: bool| json!({"queue": "mail", "error_class": "panic", "limit": 1_000, "dry_run": dry_run});
    eventually("all are kept", async || {
        let path = "/admin/dead-letters/replay";
        let counted = shop.admin.post(path, asked(true)).await.expect(200).body;
        assert_eq!(counted["replay_id"], Value::Null);
        (counted["matched"].as_i64() == Some(GOOD + POISON)).then_some(())
    })
    .await;
    let path = "/admin/dead-letters/replay";
    let replay = shop.admin.post(path, asked(false)).await.expect(202).body;
    assert_eq!(replay["matched"], GOOD + POISON);
    let replay = replay["replay_id"].as_str().unwrap();
    for _ in 0..10 {
        let kill = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            for pid in environments_of(&local, "dlq-replayer") {
                process::send(pid, Signal::Kill);
            }
        };
        futures::join!(tick(), kill);
    }
    tick().await;
    in_the_end("all are replayed but the poison", async || {
        let replayed = far(&shop, replay, "replayed").await;
        (replayed == GOOD && far(&shop, replay, "parked").await == POISON).then_some(())
    })
    .await;
    let path = format!("/admin/dead-letters?replay_id={replay}&status=parked");
    let parked = shop.admin.get(&path).await.expect(200).body;
    for letter in parked["items"].as_array().unwrap() {
        assert_eq!(letter["error_class"], "unknown_event", "{letter}");
    }
}
