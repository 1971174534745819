//! Dead letters through the deployed functions, as an admin sees them.

use super::whole::send;
use crate::faults::in_the_end;
use reqwest::Method;
use serde_json::{Value, json};
use tests::client::read;
use tests::shop::{Shop, eventually};
use uuid::Uuid;

pub(super) const ROUTE: &str = "/admin/dead-letters";

/// The dead letter with these words in its message.
async fn found(shop: &Shop, words: &str) -> Option<Value> {
    let path = format!("{ROUTE}?queue=mail&limit=100");
    let page = shop.admin.get(&path).await.expect(200).body;
    let mut items = page["items"].as_array().unwrap().iter();
    let is_it = |letter: &&Value| letter["payload_excerpt"].as_str().unwrap().contains(words);
    items.find(is_it).cloned()
}

#[tokio::test]
async fn poison_is_shown_with_its_reason_and_discarded_for_one() {
    let shop = Shop::open().await;
    let mark = Uuid::new_v4().to_string();
    send("mail", &format!("not an event {mark}"), &json!({})).await;
    let letter = eventually("the dead letter", async || found(&shop, &mark).await).await;
    assert_eq!(letter["status"], "parked");
    assert_eq!(letter["error_class"], "unknown_event");
    assert!(
        letter["error"]
            .as_str()
            .unwrap()
            .contains("not an event envelope")
    );
    assert_eq!(
        (&letter["attempts"], &letter["type"]),
        (&json!(1), &Value::Null)
    );
    let path = format!("{ROUTE}/{}", letter["id"].as_str().unwrap());
    assert_eq!(shop.admin.get(&path).await.expect(200).body, letter);
    let discard = format!("{path}/discard");
    let refused = shop.admin.post(&discard, json!({"reason": " "})).await;
    assert_eq!(refused.expect(422).body["errors"][0]["pointer"], "/reason");
    let reason = json!({"reason": "a test sent it"});
    let discarded = shop
        .admin
        .post(&discard, reason.clone())
        .await
        .expect(200)
        .body;
    assert_eq!(discarded["status"], "discarded");
    assert_eq!(discarded["reason"], "a test sent it");
    assert!(discarded["resolved_by"].is_string() && discarded["resolved_at"].is_string());
    // Never processed, and decided once.
    for path in [discard, format!("{path}/replay")] {
        let _ = shop.admin.post(&path, reason.clone()).await.expect(409);
    }
}

#[tokio::test]
async fn poison_is_discarded_without_a_word() {
    let shop = Shop::open().await;
    let mark = Uuid::new_v4().to_string();
    send("mail", &format!("no event to talk of {mark}"), &json!({})).await;
    let letter = eventually("the dead letter", async || found(&shop, &mark).await).await;
    let path = format!("{ROUTE}/{}/discard", letter["id"].as_str().unwrap());
    let discarded = read(shop.admin.request(Method::POST, &path)).await;
    assert_eq!(discarded.expect(200).body["reason"], "none was given");
    let _ = shop.admin.post(&path, json!({})).await.expect(409);
}

#[tokio::test]
async fn replayed_poison_is_parked_again() {
    let shop = Shop::open().await;
    let mark = Uuid::new_v4().to_string();
    send("mail", &format!("not an event either {mark}"), &json!({})).await;
    let letter = eventually("the dead letter", async || found(&shop, &mark).await).await;
    let replay = format!("{ROUTE}/{}/replay", letter["id"].as_str().unwrap());
    for _ in 0..2 {
        let _ = shop.admin.post(&replay, json!({})).await.expect(202);
    }
    let again = in_the_end("it dies again", async || {
        let letter = found(&shop, &mark).await?;
        (letter["status"] == "parked").then_some(letter)
    });
    assert_eq!(again.await["attempts"], 2);
}

#[tokio::test]
async fn dead_letters_are_for_admins_and_filters_are_checked() {
    let shop = Shop::open().await;
    let some = format!("{ROUTE}/{}", Uuid::now_v7());
    for path in [ROUTE, &format!("{ROUTE}/stats"), &some] {
        let _ = shop.customer.get(path).await.expect(403);
    }
    let all = json!({"limit": 1});
    let _ = shop
        .seller
        .post(&format!("{ROUTE}/replay"), all)
        .await
        .expect(403);
    let _ = shop.admin.get(&some).await.expect(404);
    let _ = shop
        .admin
        .post(&format!("{some}/replay"), json!({}))
        .await
        .expect(404);
    for query in [
        "queue=teleport",
        "status=lost",
        "error_class=odd",
        "limit=0",
    ] {
        let _ = shop
            .admin
            .get(&format!("{ROUTE}?{query}"))
            .await
            .expect(422);
    }
    for (body, pointer) in [
        (json!({}), "/limit"),
        (json!({"limit": 0}), "/limit"),
        (json!({"limit": 1, "queue": "teleport"}), "/queue"),
        (json!({"limit": 1, "all": true}), "/all"),
    ] {
        let refused = shop
            .admin
            .post(&format!("{ROUTE}/replay"), body)
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
}
