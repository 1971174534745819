//! What nobody tells the shop of is found in the provider's own list.

use axum::Router;
use axum::extract::Request;
use local::payments::{Options, Sandbox};
use serde_json::{Value, json};
use shared::operations::reconcile::reconcile;
use shared::state::Sweeper;
use shared::store::database;
use tests::TestSecrets;
use tests::outage::{Buyer, Outage};
use tests::shop::{eventually, new_key, order_of};
use tokio::net::TcpListener;
use tower::ServiceExt;
use uuid::Uuid;

/// A provider that sends no webhooks, and lists what was made just now as well: the shop leaves
/// the last minutes to the requests that are under way. Its address.
async fn silent_provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keys = TestSecrets::open()
        .await
        .value("holdfast/local/stripe")
        .await;
    let sandbox = Sandbox::open(Options {
        listen: listener.local_addr().unwrap(),
        data_dir: std::env::temp_dir().join(format!("holdfast-sandbox-{}", Uuid::new_v4())),
        secret_key: keys["secret_key"].as_str().unwrap().to_owned(),
        webhook: None,
    });
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = sandbox.unwrap().router();
    let answer = move |request: Request| router.clone().oneshot(without_end(request));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address
}

/// The same request without its `created[lte]`.
fn without_end(mut request: Request) -> Request {
    let uri = request.uri();
    let is_end = |pair: &&str| pair.starts_with("created%5Bl") || pair.starts_with("created[l");
    let query = uri.query().unwrap_or_default().split('&');
    let query: Vec<&str> = query.filter(|pair| !is_end(pair)).collect();
    *request.uri_mut() = format!("{}?{}", uri.path(), query.join("&"))
        .parse()
        .unwrap();
    request
}

#[tokio::test]
async fn payment_whose_webhook_is_lost_is_found_in_the_providers_list() {
    let outage = Outage::begin().await;
    let provider = silent_provider().await;
    let variables = [("STRIPE_BASE_URL", provider.clone())];
    let buyer = Buyer::come(&outage, 5, 0).await;
    let client = buyer.client.at(&outage.checkout(&variables).await);
    let body = order_of(&buyer.sku, 1, "pm_card_authenticationRequired");
    let held = client.post_once("/checkout", &new_key(), &body).await;
    let held = held.expect(402).body;
    let order = format!("/orders/{}", held["order_id"].as_str().unwrap());
    let secret = held["client_secret"].as_str().unwrap();
    let payment = secret.split("_secret").next().unwrap();
    let page = format!("{provider}/_sandbox/payment_intents/{payment}/authenticate");
    let outcome = json!({"outcome": "succeed"});
    let at_the_bank = reqwest::Client::new().post(page).json(&outcome).send();
    at_the_bank.await.unwrap().error_for_status().unwrap();
    let shown = buyer.client.get(&order).await.expect(200).body;
    assert_ne!(shown["status"], "paid");

    let sweeper = outage.function::<Sweeper>(&variables).await;
    let paid = eventually("the order is paid", async || {
        // The deployed sweeper compares as well, with another provider, and may be first.
        let mut tx = sweeper.database.begin().await.unwrap();
        sqlx::query("update reconciliation set ran_at = now() - interval '1 hour'")
            .execute(&mut *tx)
            .await
            .unwrap();
        database::commit(tx).await.unwrap();
        reconcile(&sweeper).await.unwrap();
        let shown: Value = buyer.client.get(&order).await.expect(200).body;
        (shown["status"] == "paid").then_some(shown)
    })
    .await;
    assert_eq!(paid["payment"]["status"], "captured");
}
