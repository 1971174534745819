//! Whoever replays or discards dead letters is in the audit log, with what they did and why.

use super::event;
use super::routes::ROUTE;
use super::whole::{database, send};
use crate::faults::in_the_end;
use serde_json::{Value, json};
use shared::domain::events::Queue;
use shared::domain::ids;
use tests::shop::Shop;
use uuid::Uuid;

/// Who, what and with which particulars, of all that was done to something.
async fn audited(subject: &str) -> Vec<(Uuid, String, Value)> {
    sqlx::query_as(
        "select actor_id, action, detail from audit_log where subject = $1 order by at, id",
    )
    .bind(subject)
    .fetch_all(&mut database().await)
    .await
    .unwrap()
}

async fn admin_id(shop: &Shop) -> Uuid {
    let me = shop.admin.get("/auth/me").await.expect(200).body;
    me["id"].as_str().unwrap().parse().unwrap()
}

/// A message that the mailer gives up at once; the dead letter's path and id.
async fn parked(shop: &Shop, body: &str) -> (String, String) {
    send("mail", body, &json!({})).await;
    let id = ids::dead_letter_id(Queue::Mail, body).to_string();
    let path = format!("{ROUTE}/{id}");
    in_the_end("it is parked", async || {
        let answer = shop.admin.get(&path).await;
        (answer.body["status"] == "parked").then_some(())
    })
    .await;
    (path, id)
}

/// A type that no other message has: letters only.
fn own_type() -> String {
    let digits = Uuid::new_v4().simple().to_string();
    let letters = digits.bytes().map(|byte| match byte {
        b'0'..=b'9' => char::from(byte - b'0' + b'g'),
        letter => char::from(letter),
    });
    format!("audit_{}", letters.collect::<String>())
}

#[tokio::test]
async fn replay_of_one_is_recorded_with_who_asked() {
    let shop = Shop::open().await;
    let body = format!("no event {} to replay", Uuid::new_v4());
    let (path, id) = parked(&shop, &body).await;
    assert!(audited(&id).await.is_empty());
    let replay = format!("{path}/replay");
    let _ = shop.seller.post(&replay, json!({})).await.expect(403);
    assert!(audited(&id).await.is_empty());
    let _ = shop.admin.post(&replay, json!({})).await.expect(202);
    let entry = (
        admin_id(&shop).await,
        "dead_letter.replay".to_owned(),
        json!({}),
    );
    assert_eq!(audited(&id).await, [entry]);
}

#[tokio::test]
async fn bulk_replay_is_recorded_with_what_was_chosen_and_how_many_they_were() {
    let shop = Shop::open().await;
    let type_ = own_type();
    let body = event(Uuid::now_v7(), 1).replace("order_paid", &type_);
    let _ = parked(&shop, &body).await;
    let asked =
        |dry_run: bool| json!({"queue": "mail", "type": type_, "limit": 7, "dry_run": dry_run});
    let replay = format!("{ROUTE}/replay");
    let counted = shop.admin.post(&replay, asked(true)).await.expect(200).body;
    assert_eq!(
        (&counted["matched"], &counted["replay_id"]),
        (&json!(1), &Value::Null)
    );
    let asked = shop
        .admin
        .post(&replay, asked(false))
        .await
        .expect(202)
        .body;
    let detail = json!({
        "queue": "mail", "type": type_, "error_class": null, "limit": 7, "matched": 1,
    });
    let entry = (
        admin_id(&shop).await,
        "dead_letters.replay".to_owned(),
        detail,
    );
    let replay_id = asked["replay_id"].as_str().unwrap();
    assert_eq!(audited(replay_id).await, [entry]);
    // To count is to do nothing.
    let all: i64 = sqlx::query_scalar(
        "select count(*) from audit_log where action = 'dead_letters.replay' and detail ->> 'type' = $1",
    )
    .bind(&type_)
    .fetch_one(&mut database().await)
    .await
    .unwrap();
    assert_eq!(all, 1);
}

#[tokio::test]
async fn discard_is_recorded_once_with_its_reason() {
    let shop = Shop::open().await;
    let body = format!("no event {} to keep", Uuid::new_v4());
    let (path, id) = parked(&shop, &body).await;
    let discard = format!("{path}/discard");
    let reason = json!({"reason": "about no order of ours"});
    let _ = shop.admin.post(&discard, reason.clone()).await.expect(200);
    for refused in [&discard, &format!("{path}/replay")] {
        let _ = shop.admin.post(refused, reason.clone()).await.expect(409);
    }
    let entry = (
        admin_id(&shop).await,
        "dead_letter.discard".to_owned(),
        reason,
    );
    assert_eq!(audited(&id).await, [entry]);
}
