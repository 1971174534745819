//! Kill switches and breakers through the deployed functions.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::client::Answer;
use tests::shop::{Shop, eventually};

/// No other test makes pictures through the deployed function.
const UPLOADS: &str = "/admin/flags/uploads";

/// Announces a picture of a product that does not exist.
async fn announce(shop: &Shop) -> Answer {
    let path = "/products/01890a5d-ac96-774b-bcce-b302099a8057/images";
    let picture = json!({"content_type": "image/png", "byte_size": 100, "alt": "Nothing"});
    shop.seller.post(path, picture).await
}

async fn switch(shop: &Shop, enabled: bool) -> Answer {
    let body = json!({"enabled": enabled, "reason": "a test tries the switch"});
    shop.admin.put(UPLOADS, body).await
}

#[tokio::test]
async fn what_is_switched_off_answers_503_until_it_is_switched_on_again() {
    let shop = Shop::open().await;
    let off = switch(&shop, false).await.expect(200);
    assert_eq!(off.header("x-degraded"), "");
    assert_eq!(
        (&off.body["name"], &off.body["enabled"]),
        (&json!("uploads"), &json!(false))
    );
    assert!(off.body["updated_by"].is_string() && off.body["updated_at"].is_string());
    let refused = eventually("uploads are off", async || {
        let answer = announce(&shop).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    });
    let refused = refused.await;
    assert_eq!(refused.problem(), "feature-disabled");
    assert_eq!(refused.body["feature"], "uploads");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    let _ = switch(&shop, true).await.expect(200);
    eventually("uploads are on", async || {
        let answer = announce(&shop).await;
        (answer.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    let listed = shop.admin.get("/admin/flags").await.expect(200).body;
    let found = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|flag| flag["name"] == "uploads");
    assert_eq!(found.unwrap()["reason"], "a test tries the switch");
}

#[tokio::test]
async fn switches_are_for_admins_and_need_a_name_and_a_reason() {
    let shop = Shop::open().await;
    let good = || json!({"enabled": true, "reason": "because"});
    for path in ["/admin/flags", "/admin/breakers"] {
        let _ = shop.customer.get(path).await.expect(403);
    }
    let _ = shop.seller.put(UPLOADS, good()).await.expect(403);
    let _ = shop
        .admin
        .put("/admin/flags/teleport", good())
        .await
        .expect(404);
    let _ = shop.admin.get("/admin/flags/teleport").await.expect(404);
    for body in [
        json!({"enabled": true}),
        json!({"enabled": true, "reason": "  "}),
    ] {
        let refused = shop.admin.put(UPLOADS, body).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/reason");
    }
    let open = json!({"state": "open", "reason": "because"});
    let _ = shop
        .admin
        .put("/admin/breakers/teleport", open)
        .await
        .expect(404);
    let odd = json!({"state": "ajar", "reason": "because"});
    let _ = shop
        .admin
        .put("/admin/breakers/lambda", odd)
        .await
        .expect(422);
}

/// How readiness shows the breaker of a dependency.
async fn breaker(shop: &Shop, name: &str) -> Value {
    let ready = shop.admin.get("/health/ready").await.expect(200);
    ready.body["checks"][name]["breaker"].clone()
}

#[tokio::test]
async fn operator_holds_a_breaker_open_and_lets_it_go() {
    let shop = Shop::open().await;
    // No other test of this stack depends on how `ops` reaches its objects.
    let set = async |state: &str| {
        let body = json!({"state": state, "reason": "a test tries the breaker"});
        shop.admin
            .put("/admin/breakers/lambda", body)
            .await
            .expect(200)
            .body
    };
    assert_eq!(set("open").await["state"], "held_open");
    // Another environment of `ops` may have read the table some seconds ago.
    eventually("its reason is shown", async || {
        let all = shop.admin.get("/admin/breakers").await.expect(200).body;
        let mut shown = all["items"].as_array().unwrap().iter();
        shown
            .any(|it| it["name"] == "lambda" && it["reason"] == "a test tries the breaker")
            .then_some(())
    })
    .await;
    eventually("it is let go", async || {
        (set("auto").await["state"] == "closed").then_some(())
    })
    .await;
    assert_eq!(breaker(&shop, "payments").await, "closed");
}
