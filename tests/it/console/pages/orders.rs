//! Orders in the console, through the deployed functions.

use super::Browser;
use crate::faults::in_the_end;
use serde_json::json;
use tests::shop::{Shop, eur, new_key};
use uuid::Uuid;

#[tokio::test]
async fn order_is_shown_with_its_history_its_money_and_its_events() {
    let shop = Shop::open().await;
    let sku = shop.product(1999, 5).await;
    let order = shop.buy_one(&sku).await.body;
    let id = order["id"].as_str().unwrap();
    let refund = json!({"amount": eur(500), "reason": "a <b>bold</b> one"});
    let refunds = format!("/orders/{id}/refunds");
    let _ = shop
        .admin
        .post_once(&refunds, &new_key(), &refund)
        .await
        .expect(201);
    let browser = Browser::signed_in().await;
    let page = browser.get(&format!("/console/orders/{id}")).await;
    let total = order["totals"]["total"]["amount"].as_i64().unwrap();
    let total = format!("{}.{:02} EUR", total / 100, total % 100);
    page.expect(200).shows(&[
        id,
        &sku,
        "19.99 EUR",
        &total,
        "payment pending</span>",
        "paid</span>",
        "started</span>",
        "captured</span>",
        "refunded</span>",
        "5.00 EUR",
        "succeeded</span>",
        "a &#60;b&#62;bold&#60;/b&#62; one",
        "order_paid",
        "None. Good.",
    ]);
    page.lacks(&["Ada", "Street 1", "secret", "<b>"]);
}

#[tokio::test]
async fn mail_about_an_order_is_shown_as_handled() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let order = shop.buy_one(&sku).await.body;
    let path = format!("/console/orders/{}", order["id"].as_str().unwrap());
    let browser = Browser::signed_in().await;
    in_the_end("all its events are handled", async || {
        let page = browser.get(&path).await;
        page.expect(200).shows(&["order_paid"]);
        (!page.text.contains("not yet")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn order_is_opened_by_its_id_and_others_are_told_apart() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let order = shop.buy_one(&sku).await.body;
    let id = order["id"].as_str().unwrap();
    let browser = Browser::signed_in().await;
    let found = browser.get(&format!("/console/orders?id=+{id}+")).await;
    assert_eq!(
        found.expect(303).location(),
        format!("/console/orders/{id}")
    );
    let none = Uuid::now_v7();
    let none = browser.get(&format!("/console/orders?id={none}")).await;
    none.expect(404)
        .shows(&["There is no order with this id.", "Open it"]);
    let odd = browser.get("/console/orders?id=%3Cb%3E").await;
    odd.expect(422)
        .shows(&["This is no id of an order.", "value=\"&#60;b&#62;\""]);
    let absent = format!("/console/orders/{}", Uuid::now_v7());
    browser
        .get(&absent)
        .await
        .expect(404)
        .shows(&["Status 404"]);
}

#[tokio::test]
async fn orders_are_listed_by_status_and_page_by_page() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 50).await;
    for _ in 0..21 {
        let _ = shop.buy_one(&sku).await;
    }
    let browser = Browser::signed_in().await;
    let page = browser.get("/console/orders?status=paid").await;
    page.expect(200).shows(&["Orders</h1>", "captured</span>"]);
    page.lacks(&["class=\"badge warn\">payment pending"]);
    let link = page.text.split("<p><a href=\"").nth(1).unwrap();
    let older = link.split('"').next().unwrap().replace("&#38;", "&");
    assert!(
        older.starts_with("/console/orders?status=paid&cursor="),
        "{older}"
    );
    browser
        .get(&older)
        .await
        .expect(200)
        .shows(&["paid</span>"]);
    browser
        .get("/console/orders?status=lost")
        .await
        .expect(422)
        .shows(&["Status 422"]);
}
