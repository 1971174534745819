//! Browsing while no database node answers.

use shared::state::Products;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;
use sqlx::Row;
use tests::TestDatabase;
use tests::client::{Answer, Client};
use tests::shop::{Shop, eventually};
use tower::ServiceExt;

use crate::last_good::one_product;

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:9";

/// A cold start of `products` with the stack's S3 and no database.
pub(crate) async fn without_database() -> Router {
    products::router(
        tests::state::Changed::new()
            .with("DB_HOSTS", NOWHERE)
            .state::<Products>()
            .await,
    )
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    ask(router, Request::get(format!("/api/v1{path}"))).await
}

async fn ask(router: &Router, request: http::request::Builder) -> Answer {
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status,
        headers,
        bytes: bytes.to_vec(),
        body,
    }
}

#[track_caller]
fn is_last_good(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("x-cache"), "STALE");
    assert_eq!(answer.header("x-degraded"), "database");
    assert!(answer.header("age").parse::<u64>().is_ok());
    assert!(answer.header("etag").starts_with('"'));
    assert!(answer.header("cache-control").contains("max-age"));
}

fn slugs(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["slug"].as_str().unwrap())
        .collect()
}

fn live() -> Client {
    Client::anonymous(&tests::Stack::running().api_url)
}

#[tokio::test]
async fn lists_are_those_of_the_database() {
    let (router, live) = (without_database().await, live());
    for filter in [
        "sort=newest",
        "sort=price_asc",
        "sort=price_desc",
        "sort=name",
        "min_price=1500&max_price=3000",
        "in_stock=true",
    ] {
        let path = format!("/products?category=mugs-and-cups&limit=3&{filter}");
        let (kept, fresh) = (get(&router, &path).await, live.get(&path).await.expect(200));
        is_last_good(&kept);
        assert!(!slugs(&fresh).is_empty());
        assert_eq!(slugs(&kept), slugs(&fresh), "{filter}");
    }
    let none = get(&router, "/products?category=no-such-category").await;
    is_last_good(&none);
    assert!(slugs(&none).is_empty());
    let bad = get(&router, "/products?limit=0").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn search_finds_words_of_titles() {
    let router = without_database().await;
    let found = get(&router, "/products?category=mugs-and-cups&q=MUG&limit=100").await;
    is_last_good(&found);
    let titles = found.body["items"].as_array().unwrap();
    assert!(!titles.is_empty());
    let nothing = get(&router, "/products?q=xylophonist").await;
    is_last_good(&nothing);
    assert!(slugs(&nothing).is_empty());
}

#[tokio::test]
async fn cursor_is_good_on_both_sides() {
    let (router, live) = (without_database().await, live());
    let path = |cursor: &str| format!("/products?category=mugs-and-cups&sort=name&limit=2{cursor}");
    let next =
        |answer: &Answer| format!("&cursor={}", answer.body["next_cursor"].as_str().unwrap());
    let (kept, fresh) = (
        get(&router, &path("")).await,
        live.get(&path("")).await.expect(200),
    );
    assert_eq!(next(&kept), next(&fresh));
    let second = get(&router, &path(&next(&fresh))).await;
    is_last_good(&second);
    assert_eq!(
        slugs(&second),
        slugs(&live.get(&path(&next(&kept))).await.expect(200))
    );
    let bad = get(&router, &path("&cursor=bad")).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn page_is_found_by_id_and_slug_and_known_by_its_tag() {
    let (router, live) = (without_database().await, live());
    let seller = Shop::open().await.seller;
    let listed = live
        .get("/products?category=mugs-and-cups&limit=1")
        .await
        .expect(200);
    let item = &listed.body["items"][0];
    for name in ["id", "slug"] {
        let path = format!("/products/{}", item[name].as_str().unwrap());
        let (kept, fresh) = (get(&router, &path).await, live.get(&path).await.expect(200));
        is_last_good(&kept);
        for field in [
            "id",
            "slug",
            "title",
            "description",
            "version",
            "images",
            "created_at",
        ] {
            assert_eq!(kept.body[field], fresh.body[field], "{field}");
        }
        assert_eq!(
            kept.body["variants"][0]["price"],
            fresh.body["variants"][0]["price"]
        );
        let token = seller.token();
        let sellers = Request::get(format!("/api/v1{path}"));
        let sellers = sellers.header("authorization", format!("Bearer {token}"));
        is_last_good(&ask(&router, sellers).await);
        let tag = kept.header("etag").to_owned();
        let again = Request::get(format!("/api/v1{path}")).header("if-none-match", tag);
        assert_eq!(ask(&router, again).await.status, StatusCode::NOT_MODIFIED);
    }
    for absent in ["no-such-product", "01890000-0000-7000-8000-000000000000"] {
        let answer = get(&router, &format!("/products/{absent}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.problem(), "not-found");
    }
}

#[tokio::test]
async fn categories_are_those_of_the_database() {
    let (router, live) = (without_database().await, live());
    let kept = get(&router, "/categories").await;
    is_last_good(&kept);
    let fresh = live.get("/categories").await.expect(200);
    assert_eq!(
        kept.body["items"][0]["slug"],
        fresh.body["items"][0]["slug"]
    );
    assert_eq!(
        kept.body["items"][0]["children"],
        fresh.body["items"][0]["children"]
    );
}

#[tokio::test]
async fn only_the_first_read_waits_for_the_database() {
    let router = without_database().await;
    let first = get(&router, "/products?category=mugs-and-cups&limit=20").await;
    is_last_good(&first);
    let mut took = Vec::new();
    for slug in slugs(&first) {
        let begin = Instant::now();
        is_last_good(&get(&router, &format!("/products/{slug}")).await);
        took.push(begin.elapsed());
    }
    took.sort();
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn two_thousand_readers_after_a_flush_cause_a_handful_of_database_reads() {
    const READERS: usize = 2_000;
    let database = TestDatabase::create().await;
    one_product(database.pool()).await;
    let state = tests::state_on::<Products>(&database).await;
    let router = products::router(state.clone());
    assert_eq!(
        get(&router, "/products/mug").await.header("x-cache"),
        "MISS"
    );
    state.reads.expire();
    let answers =
        futures::future::join_all((0..READERS).map(|_| get(&router, "/products/mug"))).await;
    let count = |words: &str| {
        let found = answers
            .iter()
            .filter(|answer| answer.header("x-cache") == words);
        found.count()
    };
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!((count("MISS"), count("HIT")), (1, READERS - 1));
    // A connection tells what it did when it ends.
    drop((router, state));
    let scans = eventually("the connections have told", async || {
        let row = sqlx::query(
            "select seq_scan + idx_scan as scans, (select count(*) from pg_stat_activity
             where datname = current_database() and usename <> current_user) as left
             from pg_stat_user_tables where relname = 'products'",
        );
        let row = row.fetch_one(database.pool()).await.unwrap();
        (row.get::<i64, _>("left") == 0).then(|| row.get::<i64, _>("scans"))
    })
    .await;
    assert!((1..50).contains(&scans), "{scans} reads of the table");
}
