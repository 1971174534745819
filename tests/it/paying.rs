//! Whole flows of money: wallet, authentication, cancellation, refunds.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::shop::{Shop, VISA, eur, new_key, order_of};

fn status_of(body: &Value) -> &str {
    body["status"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn refunds_never_exceed_what_was_captured() {
    let shop = Shop::open().await;
    let sku = shop.product(10_000, 5).await;
    let order = shop.buy_one(&sku).await;
    let path = format!("/orders/{}/refunds", order.body["id"].as_str().unwrap());
    let refund = |amount| json!({"amount": eur(amount), "reason": "arrived damaged"});
    let _ = shop
        .customer
        .post_once(&path, &new_key(), &refund(1))
        .await
        .expect(403);
    let _ = shop
        .admin
        .post_once(&path, &new_key(), &refund(10_001))
        .await
        .expect(409);
    let (first, second) = (new_key(), new_key());
    let most = refund(6000);
    let both = [
        shop.admin.post_once(&path, &first, &most),
        shop.admin.post_once(&path, &second, &most),
    ];
    let mut statuses: Vec<_> = join_all(both)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let rest = shop
        .admin
        .post_once(&path, &new_key(), &json!({"reason": "the rest"}))
        .await
        .expect(201);
    assert_eq!(
        (&rest.body["amount"], status_of(&rest.body)),
        (&eur(4000), "succeeded")
    );
    let shown = shop
        .customer
        .get(&format!("/orders/{}", order.body["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        (status_of(&shown.body), &shown.body["refunded"]),
        ("refunded", &eur(10_000))
    );
}

#[tokio::test]
async fn wallet_pays_at_once_and_never_goes_below_zero() {
    let shop = Shop::open().await;
    let sku = shop.product(6000, 5).await;
    let buyer = shop.newcomer().await;
    let me = buyer.get("/auth/me").await.expect(200);
    let poor = buyer
        .post_once("/checkout", &new_key(), &order_of(&sku, 1, "wallet"))
        .await
        .expect(402);
    assert_eq!(poor.problem(), "payment-declined");
    let path = format!("/wallets/{}/credits", me.body["id"].as_str().unwrap());
    let credit = json!({"amount": eur(7000), "reason": "welcome"});
    let key = new_key();
    let given = shop.admin.post_once(&path, &key, &credit).await.expect(201);
    assert_eq!(given.body["balance"], eur(7000));
    let _ = shop.admin.post_once(&path, &key, &credit).await.expect(201);
    let order = order_of(&sku, 1, "wallet");
    let both =
        join_all((0..2).map(|_| async { buyer.post_once("/checkout", &new_key(), &order).await }))
            .await;
    let mut statuses: Vec<_> = both.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 402]);
    let wallet = buyer.get("/wallet").await.expect(200);
    assert_eq!(wallet.body["balance"], eur(1000));
    assert_eq!(wallet.body["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn authentication_holds_the_stock_until_another_way_to_pay() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let body = order_of(&sku, 1, "pm_card_authenticationRequired");
    let held = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(402);
    assert_eq!(held.problem(), "authentication-required");
    assert!(held.body["client_secret"].is_string() && held.body["expires_at"].is_string());
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &order_of(&sku, 1, VISA))
        .await
        .expect(409);
    let path = format!("/orders/{}/pay", held.body["order_id"].as_str().unwrap());
    let payment = json!({"payment": {"method": "card", "token": VISA}});
    let key = new_key();
    let paid = shop
        .customer
        .post_once(&path, &key, &payment)
        .await
        .expect(200);
    assert_eq!(status_of(&paid.body), "paid");
    let again = shop
        .customer
        .post_once(&path, &key, &payment)
        .await
        .expect(200);
    assert_eq!(again.bytes, paid.bytes);
}

#[tokio::test]
async fn cancelled_order_gives_stock_and_money_back() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 1).await;
    let order = shop.buy_one(&sku).await;
    let path = format!("/orders/{}", order.body["id"].as_str().unwrap());
    let cancelled = shop
        .customer
        .post(&format!("{path}/cancel"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        (status_of(&cancelled.body), &cancelled.body["refunded"]),
        ("cancelled", &order.body["totals"]["total"])
    );
    assert_eq!(cancelled.body["payment"]["status"], "refunded");
    let _ = shop
        .customer
        .post(&format!("{path}/cancel"), json!({}))
        .await
        .expect(200);
    let _ = shop.buy_one(&sku).await;
}
