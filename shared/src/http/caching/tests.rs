//! Reads are kept, refreshed, and replaced by older ones.

use std::cell::Cell;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn list(text: &str) -> Result<Representation, ApiError> {
    Representation::of(&text)
}

/// As if the last failure were long ago.
fn calm_down(cache: &ReadCache) {
    cache.failed_at.store(0, Ordering::Relaxed);
}

fn away() -> Result<Representation, ApiError> {
    Err(ApiError::unavailable("gone"))
}

fn last_good(text: &str, age: Duration) -> Result<LastGoodRead, ApiError> {
    Ok(LastGoodRead {
        representation: list(text)?,
        written_at: clock::now() - age,
    })
}

async fn ask(
    cache: &ReadCache,
    answer: Result<Representation, ApiError>,
) -> Result<(String, HeaderMap), ApiError> {
    ask_both(cache, answer, Err(ApiError::unavailable("nothing kept"))).await
}

async fn ask_both(
    cache: &ReadCache,
    answer: Result<Representation, ApiError>,
    last_good: Result<LastGoodRead, ApiError>,
) -> Result<(String, HeaderMap), ApiError> {
    let response = cache
        .answer(
            "key".into(),
            &HeaderMap::new(),
            async || answer,
            async || last_good,
        )
        .await?;
    let headers = response.headers().clone();
    let body = axum::body::to_bytes(response.into_body(), 1_000)
        .await
        .unwrap();
    Ok((String::from_utf8(body.to_vec()).unwrap(), headers))
}

#[tokio::test]
async fn second_read_is_a_hit_with_the_same_bytes() {
    let cache = ReadCache::new(MINUTE);
    let (first, headers) = ask(&cache, list("a")).await.unwrap();
    assert_eq!(headers[X_CACHE], "MISS");
    let (second, headers) = ask(&cache, list("b")).await.unwrap();
    assert_eq!(
        (second, &headers[X_CACHE]),
        (first, &HeaderValue::from_static("HIT"))
    );
}

#[tokio::test]
async fn expired_read_is_read_again_and_kept_as_last_good() {
    let cache = ReadCache::new(MINUTE);
    ask(&cache, list("a")).await.unwrap();
    cache.expire();
    let (body, headers) = ask(&cache, Err(ApiError::unavailable("gone")))
        .await
        .unwrap();
    assert_eq!(body, "\"a\"");
    assert_eq!(
        (&headers[X_CACHE], &headers["x-degraded"]),
        (
            &HeaderValue::from_static("STALE"),
            &HeaderValue::from_static("database")
        )
    );
    let (body, headers) = ask(&cache, list("b")).await.unwrap();
    assert_eq!(
        (&*body, &headers[X_CACHE]),
        ("\"a\"", &HeaderValue::from_static("STALE"))
    );
    calm_down(&cache);
    assert_eq!(ask(&cache, list("b")).await.unwrap().0, "\"b\"");
}

#[tokio::test]
async fn what_was_missing_is_named_each_time_and_beside_the_database() {
    let cache = ReadCache::new(MINUTE);
    let named = |headers: &HeaderMap| -> Vec<String> {
        let values = headers.get_all("x-degraded").iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    };
    let reduced = || list("a").map(|list| list.without("recommendations"));
    for _ in 0..2 {
        let (_, headers) = ask(&cache, reduced()).await.unwrap();
        assert_eq!(named(&headers), ["recommendations"]);
    }
    cache.expire();
    let (_, headers) = ask(&cache, away()).await.unwrap();
    assert_eq!(named(&headers), ["database", "recommendations"]);
}

#[tokio::test]
async fn what_is_gone_is_not_served() {
    let cache = ReadCache::new(Duration::ZERO);
    ask(&cache, list("a")).await.unwrap();
    let gone = ask(&cache, Err(ApiError::not_found())).await.unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound);
    let away = ask(&cache, Err(ApiError::unavailable("gone")))
        .await
        .unwrap_err();
    assert_eq!(away.kind(), Kind::Unavailable);
}

#[tokio::test]
async fn many_callers_cause_one_read() {
    let cache = ReadCache::new(MINUTE);
    let reads = Cell::new(0);
    let headers = HeaderMap::new();
    let one = || {
        let read = async || {
            reads.set(reads.get() + 1);
            tokio::task::yield_now().await;
            list("a")
        };
        cache.answer("key".into(), &headers, read, async || {
            Err(ApiError::not_found())
        })
    };
    let answers = futures::future::join_all((0..20).map(|_| one())).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(reads.get(), 1);
}

#[tokio::test]
async fn known_tag_is_answered_without_a_body() {
    let cache = ReadCache::new(MINUTE);
    let (_, headers) = ask(&cache, list("a")).await.unwrap();
    let mut request = HeaderMap::new();
    let tags = format!("\"else\", W/{}", headers[header::ETAG].to_str().unwrap());
    request.insert(header::IF_NONE_MATCH, HeaderValue::try_from(tags).unwrap());
    let response = cache
        .answer(
            "key".into(),
            &request,
            async || list("b"),
            async || Err(ApiError::not_found()),
        )
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(response.headers()[header::ETAG], headers[header::ETAG]);
}

#[tokio::test]
async fn last_good_is_served_while_the_database_is_away() {
    let cache = ReadCache::new(MINUTE);
    let (body, headers) = ask_both(&cache, away(), last_good("old", 2 * MINUTE))
        .await
        .unwrap();
    assert_eq!(body, "\"old\"");
    assert_eq!(
        (&headers[X_CACHE], &headers["x-degraded"]),
        (&"STALE".parse().unwrap(), &"database".parse().unwrap())
    );
    assert_eq!(headers[header::AGE], "120");
    // For some seconds without asking anybody, even if the database is back.
    let (body, headers) = ask_both(&cache, list("new"), last_good("older", MINUTE))
        .await
        .unwrap();
    assert_eq!(
        (&*body, &headers[X_CACHE]),
        ("\"old\"", &"STALE".parse().unwrap())
    );
    cache.expire();
    calm_down(&cache);
    let (body, headers) = ask_both(&cache, list("new"), last_good("older", MINUTE))
        .await
        .unwrap();
    assert_eq!(
        (&*body, &headers[X_CACHE]),
        ("\"new\"", &"MISS".parse().unwrap())
    );
}

#[tokio::test]
async fn last_good_is_newer_than_what_was_kept_here() {
    let cache = ReadCache::new(Duration::ZERO);
    ask(&cache, list("kept")).await.unwrap();
    let (body, _) = ask_both(&cache, away(), last_good("written", MINUTE))
        .await
        .unwrap();
    assert_eq!(body, "\"written\"");
}

#[tokio::test]
async fn what_the_last_good_catalogue_has_not_is_gone() {
    let cache = ReadCache::new(Duration::ZERO);
    ask(&cache, list("kept")).await.unwrap();
    let gone = ask_both(&cache, away(), Err(ApiError::not_found()))
        .await
        .unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound);
    // It was not kept either: the next one hears from the database.
    calm_down(&cache);
    assert_eq!(ask(&cache, list("back")).await.unwrap().0, "\"back\"");
}

#[tokio::test]
async fn database_that_failed_is_left_alone_for_longer_and_longer() {
    let cache = ReadCache::new(Duration::ZERO);
    for expected in [2, 4, 8, 10, 10] {
        calm_down(&cache);
        ask(&cache, away()).await.unwrap_err();
        let just_now = cache.failed_at.load(Ordering::Relaxed);
        cache
            .failed_at
            .store(just_now - expected + 1, Ordering::Relaxed);
        assert!(cache.failed_recently(), "{expected}");
        cache
            .failed_at
            .store(just_now - expected - 1, Ordering::Relaxed);
        assert!(!cache.failed_recently(), "{expected}");
    }
    ask(&cache, list("back")).await.unwrap();
    assert!(!cache.failed_recently());
}

#[tokio::test(start_paused = true)]
async fn hanging_database_is_not_waited_for() {
    let cache = ReadCache::new(MINUTE);
    let headers = HeaderMap::new();
    let response = cache.answer("key".into(), &headers, std::future::pending, async || {
        last_good("old", MINUTE)
    });
    let response = tokio::time::timeout(READ_PATIENCE * 2, response)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(response.headers()[X_CACHE], "STALE");
}
