//! The database goes away between the charge and its record.

use serde_json::json;
use shared::operations::settle_payment::settle_payment;
use shared::store::database;
use tests::Stack;
use tests::outage::{Buyer, Outage, charges, elsewhere};
use tests::shop::{new_key, order_of};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

/// A way to the database that can be cut; the first time somebody charges, it is.
async fn cut_by_the_first_charge() -> [(&'static str, String); 2] {
    let (cut, is_cut) = watch::channel(false);
    let stack = Stack::running();
    let node = &stack.database["primary"];
    let node = format!("{}:{}", node.host, node.port);
    let payments = stack.payments_url.trim_start_matches("http://").to_owned();
    let database = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let variables = [
        ("DB_HOSTS", database.local_addr().unwrap().to_string()),
        (
            "STRIPE_BASE_URL",
            format!("http://{}", provider.local_addr().unwrap()),
        ),
    ];
    tokio::spawn(async move {
        while let Ok((mut near, _)) = database.accept().await {
            let (node, mut is_cut) = (node.clone(), is_cut.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(node).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    _ = is_cut.wait_for(|cut| *cut) => {}
                }
            });
        }
    });
    tokio::spawn(async move {
        while let Ok((mut near, _)) = provider.accept().await {
            cut.send_replace(true);
            let payments = payments.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(payments).await.unwrap();
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    variables
}

#[tokio::test]
async fn charge_whose_record_is_lost_is_answered_as_pending_and_found_out_later() {
    let outage = Outage::begin().await;
    let buyer = Buyer::come(&outage, 5, 0).await;
    let unsteady = cut_by_the_first_charge().await;
    let client = buyer.client.at(&outage.checkout(&unsteady).await);
    let body = order_of(&buyer.sku, 1, "pm_card_visa");
    let answer = client
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(202);
    assert_eq!(
        (&answer.body["status"], answer.header("x-degraded")),
        (&json!("payment_pending"), "database")
    );
    let order = answer.body;
    elsewhere().await;
    // The lease of the request that charged runs out. The provider's webhook may have been faster.
    let id: Uuid = order["id"].as_str().unwrap().parse().unwrap();
    let mut tx = outage.worker.database.begin().await.unwrap();
    sqlx::query("update payment_attempts set leased_until = now() - interval '1 second' where order_id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await
        .unwrap();
    database::commit(tx).await.unwrap();
    settle_payment(&outage.worker, id).await.unwrap();
    assert_eq!(buyer.shown(&order).await["status"], "paid");
    assert_eq!(charges(&order).await.len(), 1);
}
