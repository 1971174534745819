//! Who did what, as an admin asks for it.

use serde_json::{Value, json};
use tests::client::Client;
use tests::shop::{Shop, eur, new_key};

/// Somebody whose wallet was added to three times, with these amounts in this order.
struct Credited {
    shop: Shop,
    user_id: String,
}

const AMOUNTS: [i64; 3] = [100, 200, 300];

impl Credited {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let me = id(&shop.newcomer().await).await;
        let path = format!("/wallets/{me}/credits");
        for minor in AMOUNTS {
            let body = json!({"amount": eur(minor), "reason": "for the audit"});
            let key = new_key();
            let _ = shop.admin.post_once(&path, &key, &body).await.expect(201);
        }
        Self { shop, user_id: me }
    }

    /// What was done to them and is chosen by `more`.
    async fn read(&self, more: &str) -> Value {
        let path = format!("/admin/audit?subject={}{more}", self.user_id);
        self.shop.admin.get(&path).await.expect(200).body
    }

    async fn amounts(&self, more: &str) -> Vec<i64> {
        amounts(&self.read(more).await)
    }
}

async fn id(client: &Client) -> String {
    let me = client.get("/auth/me").await.expect(200).body;
    me["id"].as_str().unwrap().to_owned()
}

fn amounts(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|entry| entry["detail"]["amount_minor"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn what_was_done_is_listed_with_who_when_and_why_the_newest_first() {
    let credited = Credited::open().await;
    let page = credited.read("").await;
    assert_eq!(amounts(&page), [300, 200, 100]);
    assert_eq!(page["next_cursor"], Value::Null);
    let entry = &page["items"][0];
    assert_eq!(entry["actor_id"], id(&credited.shop.admin).await);
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("wallet.credit"), &json!(credited.user_id))
    );
    assert_eq!(entry["detail"]["reason"], "for the audit");
    assert!(entry["at"].is_string() && entry["id"].is_string());
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let credited = Credited::open().await;
    let first = credited.read("&limit=2").await;
    assert_eq!(amounts(&first), [300, 200]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = credited.read(&format!("&limit=2&cursor={cursor}")).await;
    assert_eq!(amounts(&last), [100]);
    assert_eq!(last["next_cursor"], Value::Null);
}

#[tokio::test]
async fn filters_choose_by_who_what_and_when() {
    let credited = Credited::open().await;
    let page = credited.read("").await;
    let middle = page["items"][1]["at"].as_str().unwrap();
    let admin = id(&credited.shop.admin).await;
    for (filter, expected) in [
        ("&action=wallet.credit".to_owned(), vec![300, 200, 100]),
        ("&action=user.role".to_owned(), vec![]),
        (format!("&actor_id={admin}"), vec![300, 200, 100]),
        (format!("&actor_id={}", credited.user_id), vec![]),
        (format!("&since={middle}"), vec![300, 200]),
        (format!("&until={middle}"), vec![100]),
    ] {
        assert_eq!(credited.amounts(&filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn filter_that_is_none_is_named() {
    let shop = Shop::open().await;
    for (name, value) in [
        ("action", "order.teleport"),
        ("actor_id", "me"),
        ("subject", "%00"),
        ("since", "yesterday"),
        ("until", ""),
        ("limit", "0"),
    ] {
        let path = format!("/admin/audit?{name}={value}");
        let refused = shop.admin.get(&path).await.expect(422).body;
        assert_eq!(refused["errors"][0]["pointer"], name, "{refused}");
    }
}
