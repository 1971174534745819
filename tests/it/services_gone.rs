//! What customers see while DynamoDB, SQS or S3 is closed, or takes connections and never answers.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::domain::events::{Envelope, Event};
use shared::events::{SweepError, sweep};
use shared::state::{AppState, Auth, Checkout, Products, Sweeper};
use shared::store::outbox;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::shop::{Shop, eventually, new_key, order_of};
use tests::state::{Changed, NOWHERE, silent};
use tests::{Account, Stack, TestQueue};
use tower::ServiceExt;
use uuid::Uuid;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
    elapsed: Duration,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn is_unavailable(&self) {
        assert_eq!(self.status, 503, "{}", self.body);
        assert!(self.header("retry-after").parse::<u32>().unwrap() > 0);
        // Nobody is told what broke.
        assert!(self.body["detail"].is_null(), "{}", self.body);
    }
}

/// A function in this process, and somebody who calls it.
struct Caller {
    router: Router,
    token: String,
}

impl Caller {
    async fn new(router: Router, account: &Account) -> Self {
        let body = json!({"email": account.email, "password": account.password});
        let client = Client::anonymous(&Stack::running().api_url);
        let pair = client.post("/auth/login", body).await.expect(200).body;
        Self {
            router,
            token: pair["access_token"].as_str().unwrap().to_owned(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("idempotency-key", new_key())
            .body(Body::from(body.to_string()));
        let started = Instant::now();
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let elapsed = started.elapsed();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            elapsed,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }
}

#[tokio::test]
async fn without_dynamodb_sign_in_works_and_sessions_do_not() {
    let (_listener, silent) = silent();
    let customer = Stack::running().accounts.customer;
    let login = json!({"email": customer.email, "password": customer.password});
    for endpoint in [NOWHERE, &silent] {
        let state = Changed::new()
            .at("DynamoDB", endpoint)
            .state::<Auth>()
            .await;
        let caller = Caller::new(auth::router(state), &customer).await;
        let good = Client::anonymous(&Stack::running().api_url);
        let good = good.post("/auth/login", login.clone()).await.expect(200);
        let pair = caller.post("/auth/login", &login).await;
        assert_eq!(pair.status, 200, "{}", pair.body);
        assert_eq!(pair.body["refresh_token"], Value::Null);
        assert!(pair.body["access_token"].is_string());
        assert_eq!(pair.header("x-degraded"), "sessions");
        assert!(pair.elapsed < Duration::from_secs(4), "{:?}", pair.elapsed);
        let me = caller.ask(Method::GET, "/auth/me", &Value::Null).await;
        assert_eq!(me.status, 200);
        assert!(me.elapsed < Duration::from_secs(1), "{:?}", me.elapsed);
        let token = json!({"refresh_token": good.body["refresh_token"]});
        let everywhere = caller.post("/auth/logout-all", &Value::Null).await;
        assert_eq!(everywhere.status, 204, "{}", everywhere.body);
        assert_eq!(everywhere.header("x-degraded"), "sessions");
        for path in ["/auth/refresh", "/auth/logout"] {
            let answer = caller.post(path, &token).await;
            answer.is_unavailable();
            assert!(
                answer.elapsed < Duration::from_secs(4),
                "{path}: {:?}",
                answer.elapsed
            );
        }
    }
}

#[tokio::test]
async fn without_dynamodb_lines_can_be_bought_and_carts_are_refused() {
    let (_listener, silent) = silent();
    let shop = Shop::open().await;
    let sku = shop.product(1000, 10).await;
    for endpoint in [NOWHERE, &silent] {
        let state = Changed::new()
            .at("DynamoDB", endpoint)
            .state::<Checkout>()
            .await;
        let customer = Stack::running().accounts.customer;
        let caller = Caller::new(checkout::router(state), &customer).await;
        let order = caller
            .post("/checkout", &order_of(&sku, 1, "pm_card_visa"))
            .await;
        assert_eq!(order.status, 201, "{}", order.body);
        let (took, id) = (order.elapsed, order.body["id"].as_str().unwrap());
        assert!(took < Duration::from_secs(3), "{took:?}");
        let cancel = format!("/orders/{id}/cancel");
        let cancelled = caller.post(&cancel, &json!({})).await;
        assert_eq!(cancelled.body["status"], "cancelled", "{}", cancelled.body);
        let cart = format!("/carts/{}", Uuid::new_v4());
        let line = format!("{cart}/lines/{sku}");
        for (method, path, body) in [
            (Method::POST, "/carts", json!({})),
            (Method::GET, &cart, Value::Null),
            (Method::PUT, &line, json!({"quantity": 1})),
        ] {
            let answer = caller.ask(method, path, &body).await;
            answer.is_unavailable();
            assert!(
                answer.elapsed < Duration::from_secs(4),
                "{path}: {:?}",
                answer.elapsed
            );
        }
    }
}

#[tokio::test]
async fn without_sqs_an_order_is_placed_as_fast_and_its_events_wait() {
    let (_listener, silent) = silent();
    let shop = Shop::open().await;
    let sku = shop.product(1000, 10).await;
    let customer = Stack::running().accounts.customer;
    for endpoint in [NOWHERE, &silent] {
        let state = Changed::new().at("SQS", endpoint).state::<Checkout>().await;
        let caller = Caller::new(checkout::router(state.clone()), &customer).await;
        // The first order pays for connections.
        for limit in [Duration::from_secs(4), Duration::from_millis(1_500)] {
            let order = caller
                .post("/checkout", &order_of(&sku, 1, "pm_card_visa"))
                .await;
            assert_eq!(order.status, 201, "{}", order.body);
            assert!(order.elapsed < limit, "{:?}", order.elapsed);
            let id: Uuid = order.body["id"].as_str().unwrap().parse().unwrap();
            let mut tx = state.database.begin().await.unwrap();
            let events: i64 =
                sqlx::query_scalar("select count(*) from outbox where aggregate_id = $1")
                    .bind(id)
                    .fetch_one(&mut *tx)
                    .await
                    .unwrap();
            assert!(events > 0);
        }
    }
}

/// Adds events about an aggregate, as if somebody had committed them a minute ago.
async fn add(state: &AppState<Sweeper>, aggregate: Uuid, events: &[Event]) {
    let mut tx = state.database.begin().await.unwrap();
    for event in events {
        outbox::add(&mut tx, aggregate, event).await.unwrap();
    }
    sqlx::query(
        "update outbox set occurred_at = occurred_at - interval '1 minute' where aggregate_id = $1",
    )
    .bind(aggregate)
    .execute(&mut *tx)
    .await
    .unwrap();
    shared::store::database::commit(tx).await.unwrap();
}

/// The types and numbers of an aggregate's events in a queue, in the order in which they came.
async fn arrived(queue: &TestQueue, aggregate: Uuid) -> Vec<(String, i64)> {
    let messages = queue.take().await;
    let envelopes = messages
        .iter()
        .map(|message| Envelope::parse(message.body.as_deref().unwrap()).unwrap());
    envelopes
        .filter(|envelope| envelope.aggregate_id == aggregate)
        .map(|envelope| (envelope.type_, envelope.sequence))
        .collect()
}

fn named(events: &[(&str, i64)]) -> Vec<(String, i64)> {
    let named = events
        .iter()
        .map(|(name, sequence)| ((*name).to_owned(), *sequence));
    named.collect()
}

/// How many events a sweep published, and of how many aggregates queues did not take all.
async fn swept(state: &AppState<Sweeper>) -> (usize, usize) {
    match sweep(state).await {
        Err(SweepError::Queues { published, left }) => (published, left),
        done => (done.unwrap(), 0),
    }
}

#[tokio::test]
async fn events_that_waited_for_sqs_arrive_in_order_and_numbered_without_gaps_in_each_queue() {
    let gone = tests::state::<Sweeper>().await;
    let gone = Changed::new()
        .on_the_database_of(&gone)
        .at("SQS", NOWHERE)
        .state::<Sweeper>()
        .await;
    let order_id = Uuid::now_v7();
    let (due, paid) = (
        Event::PaymentDue { order_id },
        Event::OrderPaid { order_id },
    );
    let cancelled = Event::OrderCancelled { order_id };
    add(&gone, order_id, &[due.clone(), paid, due, cancelled]).await;
    assert_eq!(swept(&gone).await, (0, 1));
    let (orders, mail) = (TestQueue::create().await, TestQueue::create().await);
    let analytics = TestQueue::create().await;
    let back = Changed::new()
        .on_the_database_of(&gone)
        .with("ORDERS_QUEUE_URL", &orders.url)
        .with("MAIL_QUEUE_URL", &mail.url)
        .with("ANALYTICS_QUEUE_URL", &analytics.url)
        .state::<Sweeper>()
        .await;
    // The breaker that opened in the environment without queues is this one's as well.
    let sent = std::cell::Cell::new(0);
    eventually("everything is sent", async || {
        sent.set(sent.get() + swept(&back).await.0);
        (sent.get() == 6).then_some(())
    })
    .await;
    assert_eq!(sweep(&back).await.unwrap(), 0);
    assert_eq!(
        arrived(&orders, order_id).await,
        named(&[("payment_due", 1), ("payment_due", 2)])
    );
    for queue in [mail, analytics] {
        assert_eq!(
            arrived(&queue, order_id).await,
            named(&[("order_paid", 1), ("order_cancelled", 2)])
        );
    }
}

#[tokio::test]
async fn queue_that_refuses_an_event_keeps_no_other_queue_and_no_other_aggregate_waiting() {
    let (orders, analytics) = (TestQueue::create().await, TestQueue::create().await);
    let own = tests::state::<Sweeper>().await;
    let state = Changed::new()
        .on_the_database_of(&own)
        .with("ORDERS_QUEUE_URL", &orders.url)
        .with("ANALYTICS_QUEUE_URL", &analytics.url)
        .with(
            "MAIL_QUEUE_URL",
            &format!("{}-that-is-not-there", orders.url),
        )
        .state::<Sweeper>()
        .await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    for order_id in [one, other] {
        let (paid, due) = (
            Event::OrderPaid { order_id },
            Event::PaymentDue { order_id },
        );
        add(&state, order_id, &[paid, due]).await;
    }
    assert_eq!(swept(&state).await, (4, 2));
    for queue in [orders, analytics] {
        assert_eq!(queue.take().await.len(), 2);
    }
}

#[tokio::test]
async fn number_given_by_the_release_before_is_never_given_again() {
    let state = tests::state::<Sweeper>().await;
    let order_id = Uuid::now_v7();
    let due = Event::PaymentDue { order_id };
    add(
        &state,
        order_id,
        &[due.clone(), Event::OrderPaid { order_id }],
    )
    .await;
    let mut tx = state.database.begin().await.unwrap();
    // What the release before does for an event.
    let sequence: i64 = sqlx::query_scalar(
        "insert into aggregates (id, sequence) values ($1, 1)
         on conflict (id) do update set sequence = aggregates.sequence + 1 returning sequence",
    )
    .bind(order_id)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload)
         values ($1, 'orders', 'payment_due', 1, $2, $3, $4)",
    )
    .bind(Uuid::now_v7())
    .bind(order_id)
    .bind(sequence)
    .bind(json!(due))
    .execute(&mut *tx)
    .await
    .unwrap();
    shared::store::database::commit(tx).await.unwrap();
    add(&state, order_id, &[due]).await;
    let mut tx = state.database.begin().await.unwrap();
    let numbers: Vec<i64> = sqlx::query_scalar(
        "select sequence from outbox where aggregate_id = $1 and queue = 'orders' order by sequence",
    )
    .bind(order_id)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    assert_eq!(numbers, [1, 3, 4]);
}

#[tokio::test]
async fn without_s3_an_upload_is_refused_and_the_catalogue_is_unchanged() {
    let (_listener, silent) = silent();
    let shop = Shop::open().await;
    let sku = shop.product(1000, 10).await;
    let found = shop
        .seller
        .get(&format!("/products?q={sku}"))
        .await
        .expect(200);
    let id = found.body["items"][0]["id"].as_str().unwrap().to_owned();
    let seller = Stack::running().accounts.seller;
    let image = json!({"content_type": "image/png", "byte_size": 100, "alt": "A test"});
    let announced = shop
        .seller
        .post(&format!("/products/{id}/images"), image.clone())
        .await;
    let announced = announced.expect(201).body["image_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for endpoint in [NOWHERE, &silent] {
        let state = Changed::new().at("S3", endpoint).state::<Products>().await;
        let caller = Caller::new(products::router(state), &seller).await;
        for (path, body) in [
            (format!("/products/{id}/images"), &image),
            (
                format!("/products/{id}/images/{announced}/complete"),
                &Value::Null,
            ),
        ] {
            let answer = caller.post(&path, body).await;
            answer.is_unavailable();
            assert!(
                answer.elapsed < Duration::from_secs(5),
                "{path}: {:?}",
                answer.elapsed
            );
        }
        let page = caller
            .ask(Method::GET, &format!("/products/{id}"), &Value::Null)
            .await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.header("x-degraded"), "");
    }
}
