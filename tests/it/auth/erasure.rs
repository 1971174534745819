//! Closing an account: what is erased, and what stays.

use http::Method;
use serde_json::{Value, json};
use shared::domain::ids::new_id;
use shared::state::{AppState, Auth, Sweeper};
use shared::store::erasure;
use sqlx::PgPool;
use tests::client::Answer;
use tests::shop::{Shop, VISA, eventually, new_key, order_of};
use tests::state::Changed;
use tests::{Stack, TestDatabase, state_on};
use uuid::Uuid;

use super::{PASSWORD, ask_whole, id_of, login, me, post, register};

const EMAIL: &str = "ada.lovelace@example.com";

async fn delete(router: &axum::Router, pair: &Value) -> Answer {
    let token = pair["access_token"].as_str();
    ask_whole(router, (Method::DELETE, "/auth/me", token, Value::Null)).await
}

#[tokio::test]
async fn closed_account_cannot_be_entered_and_its_address_registers_again() {
    let router = super::router().await;
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let closed = delete(&router, &pair).await.expect(204);
    assert_eq!(closed.header("x-degraded"), "");
    // Here the cut-off is known already; elsewhere the token may live for some seconds.
    let _ = delete(&router, &pair).await.expect(401);
    assert_eq!(me(&router, &pair).await.0, 401);
    let given = json!({"refresh_token": pair["refresh_token"]});
    assert_eq!(post(&router, "refresh", given).await.0, 401);
    let sign_in = |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        let router = router.clone();
        async move { post(&router, "login", body).await }
    };
    let (gone, unknown) = (sign_in(EMAIL).await, sign_in("nobody@example.com").await);
    assert_eq!(
        (gone.0.as_u16(), &gone.1["type"]),
        (401, &unknown.1["type"])
    );
    register(&router, EMAIL).await;
    let again = login(&router, EMAIL).await;
    assert_ne!(again["user"]["id"], pair["user"]["id"]);
}

#[tokio::test]
async fn account_is_closed_once_however_often_it_is_asked_for() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let requests = (0..4).map(|_| delete(&router, &pair));
    for answer in futures::future::join_all(requests).await {
        assert!([204, 401].contains(&answer.status.as_u16()), "{answer:?}");
    }
    // Another environment, which does not know of the cut-off yet.
    let elsewhere = Changed::new()
        .on_the_database_of(&state)
        .at("DynamoDB", tests::state::NOWHERE)
        .state::<Auth>()
        .await;
    let again = delete(&auth::router(elsewhere), &pair).await.expect(204);
    assert_eq!(again.header("x-degraded"), "sessions");
}

#[tokio::test]
async fn who_still_sells_archives_first() {
    let database = TestDatabase::create().await;
    let state = state_on::<Auth>(&database).await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let seller = id_of(&state, EMAIL).await;
    sqlx::query("insert into categories (id, slug, title) values ($1, 'mugs', 'Mugs')")
        .bind(new_id())
        .execute(database.pool())
        .await
        .unwrap();
    sqlx::query(
        "insert into products (id, slug, title, description, category_id, seller_id, status, price_from_minor)
         select $1, 'mug', 'Mug', 'A mug', id, $2, 'active', 100 from categories",
    )
    .bind(new_id())
    .bind(seller)
    .execute(database.pool())
    .await
    .unwrap();
    let refused = delete(&router, &pair).await.expect(409);
    assert_eq!(refused.problem(), "conflict");
    sqlx::query("update products set status = 'archived'")
        .execute(database.pool())
        .await
        .unwrap();
    let _ = delete(&router, &pair).await.expect(204);
}

/// Every row of every table, as text.
async fn everything(pool: &PgPool) -> Vec<String> {
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
            .fetch_all(pool)
            .await
            .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let statement = format!("select '{table}: ' || t::text from {table} t");
        let more: Vec<String> = sqlx::query_scalar(&statement)
            .fetch_all(pool)
            .await
            .unwrap();
        rows.extend(more);
    }
    rows
}

/// Stores an order as it stands at `status`, with the answer that was kept for its key.
async fn order(pool: &PgPool, customer: Uuid, status: &str) {
    let address = json!({
        "name": "Ada Lovelace", "line1": format!("1 {status} Street"), "city": "Berlin",
        "postal_code": "10115", "country": "DE",
    });
    sqlx::query(
        "insert into orders (id, customer_id, idempotency_key, status, currency, subtotal_minor, shipping_minor,
             tax_minor, tax_included, total_minor, shipping_address, payment_method)
         values ($1, $2, $3, $3, 'EUR', 1000, 0, 160, true, 1000, $4, 'card')",
    )
    .bind(new_id())
    .bind(customer)
    .bind(status)
    .bind(&address)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into idempotency_keys (caller_id, route, key, fingerprint, owner, leased_until, status, body)
         values ($1, 'POST /checkout', $2, '', $1, now(), 201, $3)",
    )
    .bind(customer)
    .bind(status)
    .bind(address.to_string().into_bytes())
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn nothing_of_a_person_is_left_but_where_open_orders_go() {
    let database = TestDatabase::create().await;
    let state = state_on::<Auth>(&database).await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let id = id_of(&state, EMAIL).await;
    let pool = database.pool();
    for status in ["delivered", "cancelled", "paid", "fulfilled"] {
        order(pool, id, status).await;
    }
    let token = pair["access_token"].as_str();
    let asked = (Method::POST, "/auth/totp", token, Value::Null);
    let _ = ask_whole(&router, asked).await.expect(200);
    let _ = delete(&router, &pair).await.expect(204);
    let left = async |word: &str| {
        let rows = everything(pool).await;
        // Saved answers are bytes.
        let bytes: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        rows.into_iter()
            .filter(|row| row.contains(word) || row.contains(&bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(left("example.com").await, Vec::<String>::new());
    assert_eq!(left("argon2id").await, Vec::<String>::new());
    assert_eq!(left("cancelled Street").await, Vec::<String>::new());
    let open = left("Lovelace").await;
    assert_eq!(open.len(), 2, "{open:?}");
    let ledger: (i64, i64) = sqlx::query_as(
        "select count(*), sum(total_minor)::bigint from orders where customer_id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(ledger, (4, 4000));
    let country = "select count(*) from orders where shipping_address ->> 'country' = 'DE'";
    let countries: i64 = sqlx::query_scalar(country).fetch_one(pool).await.unwrap();
    assert_eq!(countries, 4, "their tax depends on it");
    for statement in [
        "update orders set status = 'refunded' where status = 'paid'",
        "update orders set updated_at = now() - interval '31 days' where status = 'fulfilled'",
        "update erasures set due_at = now(), requested_at = now() - interval '8 days'",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let sweeper = Changed::new()
        .on_the_database_of(&state)
        .state::<Sweeper>()
        .await;
    sweeper::run(sweeper).await.unwrap();
    assert_eq!(left("Lovelace").await, Vec::<String>::new());
    assert_eq!(left("erasures").await, Vec::<String>::new());
}

async fn provider_customer(state: &AppState<Sweeper>, id: Uuid) -> Option<String> {
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query_scalar("select provider_customer_id from users where id = $1")
        .bind(id)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn provider_forgets_the_customer_once_no_payment_needs_it() {
    let database = TestDatabase::create().await;
    let state = state_on::<Sweeper>(&database).await;
    let id = new_id();
    let customer = state.payments.create_customer(id, EMAIL).await.unwrap();
    sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, wallet_id, provider_customer_id)
         values ($1, $2, $2, 'Ada', '', $1, $3)",
    )
    .bind(id)
    .bind(EMAIL)
    .bind(&customer)
    .execute(database.pool())
    .await
    .unwrap();
    order(database.pool(), id, "payment_pending").await;
    sqlx::query(
        "insert into payment_attempts (id, order_id, number, method, amount_minor, currency, provider_key, state, leased_until)
         select $1, id, 1, 'card', 1000, 'EUR', $1::text, 'requires_action', now() from orders",
    )
    .bind(id)
    .execute(database.pool())
    .await
    .unwrap();
    let mut tx = database.pool().begin().await.unwrap();
    assert!(erasure::close_account(&mut tx, id).await.unwrap());
    erasure::request(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    let sweep = async || {
        sqlx::query("update erasures set due_at = now()")
            .execute(database.pool())
            .await
            .unwrap();
        sweeper::run(state.clone()).await.unwrap();
    };
    sweep().await;
    assert_eq!(provider_customer(&state, id).await, Some(customer.clone()));
    sqlx::query("update payment_attempts set state = 'captured'")
        .execute(database.pool())
        .await
        .unwrap();
    for _ in 0..2 {
        sweep().await;
        assert_eq!(provider_customer(&state, id).await, None);
    }
    // Whoever is gone can be forgotten again: the note of it may have been lost.
    state.payments.delete_customer(&customer).await.unwrap();
}

/// With the deployed functions: an order is paid for and sent although its customer is gone.
#[tokio::test]
async fn order_of_a_closed_account_is_still_sent() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 10).await;
    let customer = shop.newcomer().await;
    let body = order_of(&sku, 1, VISA);
    let placed = customer.post_once("/checkout", &new_key(), &body).await;
    let order = placed.expect(201).body["id"].as_str().unwrap().to_owned();
    let _ = customer
        .post("/payment-methods", json!({"token": VISA}))
        .await
        .expect(201);
    let _ = customer.delete("/auth/me").await.expect(204);
    eventually("the token is refused", async || {
        (customer.get("/auth/me").await.status == 401).then_some(())
    })
    .await;
    let seen = shop
        .admin
        .get(&format!("/orders/{order}"))
        .await
        .expect(200)
        .body;
    assert_eq!(seen["shipping_address"]["city"], "Berlin");
    let parcel = json!({"carrier": "DHL", "tracking_number": "JD014"});
    let path = format!("/orders/{order}/fulfilments");
    let _ = shop
        .seller
        .post_once(&path, &new_key(), &parcel)
        .await
        .expect(201);
    let movements = Stack::running().movements(&order).await;
    assert_eq!(movements.len(), 1, "{movements:?}");
}
