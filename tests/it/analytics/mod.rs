//! What people do becomes what is trending, what is recommended, and a few figures.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use shared::domain::activity::{Activity, ActivityKind, visitor};
use shared::domain::events::Event;
use shared::events::Sent;
use shared::operations::project_catalogue;
use shared::state::{AppState, Products, Projector, Sweeper};
use shared::store::activities::{self, Figures};
use sqlx::PgPool;
use tests::client::{Answer, Client};
use tests::shop::{Shop, VISA, eventually, new_key, order_of};
use tests::state::{Changed, NOWHERE};
use tests::{TestDatabase, TestQueue};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::last_good::one_product;
use crate::without_database::{get, without_database};

/// The deployed catalogue, which keeps nothing between two reads.
async fn forgetful() -> Router {
    let state = Changed::new().with("GW_CACHE_TTL", "0");
    products::router(state.state::<Products>().await)
}

fn report(product: &str, count: usize) -> Value {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    let event = |_| {
        json!({"id": Uuid::new_v4(), "type": "added_to_cart", "occurred_at": now,
            "product_id": product, "session_id": Uuid::new_v4().to_string()})
    };
    json!({"events": (0..count).map(event).collect::<Vec<_>>()})
}

/// The ids of a list's products.
fn ids(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap()).collect()
}

async fn id_of(router: &Router, sku: &str) -> String {
    // A replica may be a moment behind.
    eventually("it is listed", async || {
        let found = get(router, "/products?sort=newest&limit=100").await;
        let mut items = found.body["items"].as_array()?.iter();
        let ours = items.find(|item| item["variants"][0]["sku"] == sku)?;
        Some(ours["id"].as_str()?.to_owned())
    })
    .await
}

#[tokio::test]
async fn what_is_reported_is_trending_with_and_without_a_database() {
    let (shop, router) = (Shop::open().await, forgetful().await);
    let id = id_of(&router, &shop.product(1000, 5).await).await;
    let anyone = Client::anonymous(&shop.api_url);
    let taken = anyone.post("/events", report(&id, 100)).await.expect(202);
    let expected = json!({"received": 100, "kept": 100, "one_in": 1});
    assert_eq!(
        (taken.body, taken.headers.get("x-degraded")),
        (expected, None)
    );
    eventually("it is trending", async || {
        let trending = get(&router, "/products/trending?limit=3").await;
        assert_eq!(trending.status, 200, "{}", trending.body);
        ids(&trending).contains(&id.as_str()).then_some(())
    })
    .await;
    let sweeper = Changed::new().state::<Sweeper>().await;
    project_catalogue::trending(&sweeper).await.unwrap();
    let kept = get(&without_database().await, "/products/trending?limit=3").await;
    assert_eq!(
        (kept.status.as_u16(), kept.header("x-cache")),
        (200, "STALE")
    );
    assert_eq!(kept.header("x-degraded"), "database");
    assert!(ids(&kept).contains(&id.as_str()));
}

#[tokio::test]
async fn reports_are_validated_and_lists_have_one_page() {
    let shop = Shop::open().await;
    let anyone = Client::anonymous(&shop.api_url);
    let mut bad = report(&Uuid::new_v4().to_string(), 2);
    bad["events"][1]["occurred_at"] = json!("2020-01-01T00:00:00Z");
    let refused = anyone.post("/events", bad).await.expect(422);
    assert_eq!(
        refused.body["errors"][0]["pointer"],
        "/events/1/occurred_at"
    );
    let _ = anyone
        .post("/events", json!({"events": []}))
        .await
        .expect(422);
    let _ = anyone
        .get("/products/trending?cursor=abc")
        .await
        .expect(400);
    let _ = anyone.get("/products/trending?limit=0").await.expect(422);
    let absent = format!("/products/{}/recommendations", Uuid::new_v4());
    let _ = anyone.get(&absent).await.expect(404);
}

/// Reports to one environment; what it says is missing, and what became of the report.
async fn post(router: &Router, report: &Value) -> (Option<String>, Value) {
    let request = http::Request::post("/api/v1/events")
        .header("content-type", "application/json")
        .body(axum::body::Body::from(report.to_string()))
        .unwrap();
    let answer = tower::ServiceExt::oneshot(router.clone(), request);
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 202);
    let degraded = answer.headers().get("x-degraded");
    let degraded = degraded.map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(answer.into_body(), 1_000);
    (
        degraded,
        serde_json::from_slice(&body.await.unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn without_sqs_a_report_is_lost_and_the_answer_says_so() {
    let state = Changed::new().at("SQS", NOWHERE).state::<Products>().await;
    let report = report(&Uuid::new_v4().to_string(), 3);
    let (degraded, taken) = post(&products::router(state), &report).await;
    assert_eq!(degraded.as_deref(), Some("analytics"));
    assert_eq!(taken, json!({"received": 3, "kept": 0, "one_in": 1}));
}

#[tokio::test]
async fn under_pressure_a_part_is_kept_and_says_for_how_many_it_stands() {
    let queue = TestQueue::create().await;
    let state = Changed::new().with("ANALYTICS_QUEUE_URL", &queue.url);
    let router = products::router(state.state::<Products>().await);
    let product = Uuid::new_v4().to_string();
    // By the answers: how many reports stood for themselves, and what was kept of later ones.
    let (mut whole, mut sampled) = (0, Vec::new());
    while sampled.len() < 10 {
        let (degraded, taken) = post(&router, &report(&product, 100)).await;
        if taken["one_in"] == 1 {
            assert_eq!((degraded, &taken["kept"]), (None, &json!(100)));
            whole += 1;
            assert!(whole < 1_000, "no pressure is too much");
        } else {
            assert_eq!(degraded.as_deref(), Some("analytics"));
            assert_eq!(taken["one_in"], 10);
            sampled.push(taken["kept"].as_u64().unwrap());
        }
    }
    // Of 1,000, far from both none and all: the chance of less or more is one in millions.
    let kept: u64 = sampled.iter().sum();
    assert!((50..=160).contains(&kept), "{kept}");

    let mut told = 0;
    loop {
        let messages = queue.take().await;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
            let data = &event["payload"]["data"];
            if data["weight"] == 10 {
                told += data["activities"].as_array().unwrap().len() as u64;
            }
        }
    }
    assert_eq!(told, kept, "what was sent on is what the answers said");
}

#[tokio::test]
async fn what_was_bought_together_is_recommended() {
    let (shop, router) = (Shop::open().await, forgetful().await);
    let (one, other) = (shop.product(1000, 5).await, shop.product(700, 5).await);
    let (one_id, other_id) = (id_of(&router, &one).await, id_of(&router, &other).await);
    let path = format!("/products/{one_id}/recommendations?limit=5");
    let unknown = get(&router, &path).await;
    assert_eq!(unknown.header("x-degraded"), "recommendations");
    assert!(!unknown.body["items"].as_array().unwrap().is_empty());
    assert!(!ids(&unknown).contains(&one_id.as_str()));

    let mut order = order_of(&one, 1, VISA);
    order["lines"] = json!([{"sku": one, "quantity": 1}, {"sku": other, "quantity": 2}]);
    let placed = shop
        .customer
        .post_once("/checkout", &new_key(), &order)
        .await;
    let placed = placed.expect(201);
    let known = eventually("it is recommended", async || {
        let known = get(&router, &path).await;
        (ids(&known) == [other_id.as_str()]).then_some(known)
    })
    .await;
    assert_eq!(known.header("x-degraded"), "");

    let cancel = format!("/orders/{}/cancel", placed.body["id"].as_str().unwrap());
    let _ = shop.customer.post(&cancel, json!({})).await.expect(200);
    eventually("it is not recommended any more", async || {
        let after = get(&router, &path).await;
        (after.header("x-degraded") == "recommendations").then_some(())
    })
    .await;
}

#[tokio::test]
async fn admins_see_the_figures_and_nobody_else_does() {
    let shop = Shop::open().await;
    let sku = shop.product(1000, 5).await;
    let _ = shop.buy_one(&sku).await;
    let _ = shop
        .customer
        .get("/admin/analytics/summary")
        .await
        .expect(403);
    let shown = eventually("the order counts", async || {
        let shown = shop.admin.get("/admin/analytics/summary").await.expect(200);
        (shown.body["orders"].as_i64().unwrap() > 0).then_some(shown)
    })
    .await;
    assert!(["HIT", "MISS"].contains(&shown.header("x-cache")));
    assert_eq!(shown.header("cache-control"), "private, no-store");
    assert!(shown.body["orders_per_minute"].as_f64().unwrap() > 0.0);
    assert_eq!(shown.body["revenue_per_hour"]["currency"], "EUR");
}

fn added_to_cart(product: Uuid, session: &str) -> Activity {
    Activity {
        id: Uuid::now_v7(),
        kind: ActivityKind::AddedToCart,
        at: OffsetDateTime::now_utc(),
        product_id: Some(product),
        visitor: Some(visitor(session)),
    }
}

async fn project(state: &AppState<Projector>, weight: u32, activities: Vec<Activity>) {
    let sent = Sent {
        event: Event::ActivityReported { weight, activities },
        at: OffsetDateTime::now_utc(),
        place: None,
    };
    let results = projector::handle(state.clone(), Arc::default(), vec![sent]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

async fn heat(pool: &PgPool) -> Option<f64> {
    let heat = sqlx::query_scalar("select heat from product_heat");
    heat.fetch_optional(pool).await.unwrap()
}

#[tokio::test]
async fn report_that_comes_twice_counts_once() {
    let database = TestDatabase::create().await;
    let product = one_product(database.pool()).await;
    let state = tests::state_on::<Projector>(&database).await;
    let activity = added_to_cart(product, "ada");
    let of_no_product = added_to_cart(Uuid::now_v7(), "bob");
    let both = vec![activity.clone(), of_no_product, activity];
    project(&state, 1, both.clone()).await;
    let once = heat(database.pool()).await.unwrap();
    project(&state, 1, both).await;
    assert_eq!(heat(database.pool()).await, Some(once));
    project(&state, 10, vec![added_to_cart(product, "ada")]).await;
    // Eleven times as much: its logarithm is higher by 3.46.
    let more = heat(database.pool()).await.unwrap() - once;
    assert!((3.3..3.6).contains(&more), "{more}");
    let figures = activities::figures(database.pool()).await.unwrap();
    let expected = Figures {
        orders_last_hour: 0,
        revenue_last_hour_minor: 0,
        orders_last_day: 0,
        visitors_last_day: 2,
        carts_last_day: 2,
        is_sampled: false,
    };
    assert_eq!(figures, expected);
}
