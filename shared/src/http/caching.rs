//! Reads that many callers share, kept in process: one reader per key at a time,
//! fresh for a while, and served beyond that only while nothing newer can be had.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use time::OffsetDateTime;

use super::{ApiError, Kind, Representation};
use crate::clock;
use crate::resilience::policies::{LAST_GOOD_KEPT, READ_AGAIN_AFTER, REPLICA_LAG};

/// All kept bodies together. An environment has 256 MB.
const KEPT_BYTES_MAX: u64 = 24 * 1024 * 1024;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

#[derive(Debug, Clone)]
struct Kept {
    representation: Representation,
    read_at: OffsetDateTime,
    /// Which of our own writes it was read after.
    generation: u64,
}

/// How a representation was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Hit,
    Miss,
    Stale,
}

/// The reads that this environment keeps.
pub struct ReadCache {
    kept: Cache<String, Kept>,
    ttl: Duration,
    cache_control: HeaderValue,
    generation: AtomicU64,
    written_at: AtomicI64,
    failed_at: AtomicI64,
}

impl ReadCache {
    /// Keeps reads fresh for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        let kept = Cache::builder()
            .weigher(|key: &String, kept: &Kept| {
                u32::try_from(key.len() + kept.representation.body.len() + 256).unwrap_or(u32::MAX)
            })
            .max_capacity(KEPT_BYTES_MAX)
            .time_to_live(LAST_GOOD_KEPT)
            .build();
        let cache_control = format!(
            "public, max-age={}, stale-if-error={}",
            ttl.as_secs(),
            LAST_GOOD_KEPT.as_secs()
        );
        Self {
            kept,
            ttl,
            cache_control: HeaderValue::try_from(cache_control)
                .unwrap_or(HeaderValue::from_static("public")),
            generation: AtomicU64::new(0),
            written_at: AtomicI64::new(0),
            failed_at: AtomicI64::new(0),
        }
    }

    /// Makes every kept read old, after a write of this environment. They stay
    /// as the last good ones.
    pub fn expire(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.written_at
            .store(clock::now().unix_timestamp(), Ordering::Relaxed);
    }

    /// Whether this environment wrote so recently that a replica may not have it yet.
    pub fn wrote_recently(&self) -> bool {
        is_within(&self.written_at, REPLICA_LAG)
    }

    /// Answers with what is kept under `key`, or with what `read` gives. Of many
    /// callers of one key, one reads and the others wait for it.
    ///
    /// # Errors
    /// What `read` failed with, when there is nothing to serve instead. A thing
    /// that is gone is not served from the cache.
    pub async fn answer(
        &self,
        key: String,
        request: &HeaderMap,
        read: impl AsyncFnOnce() -> Result<Representation, ApiError>,
    ) -> Result<Response, ApiError> {
        let last = self.kept.get(&key).await;
        if let Some(kept) = last.as_ref().filter(|kept| self.is_fresh(kept)) {
            return Ok(self.respond(kept, Source::Hit, request));
        }
        if let Some(kept) = last.as_ref().filter(|_| self.failed_recently()) {
            return Ok(self.respond(kept, Source::Stale, request));
        }
        match self.refresh(key.clone(), read).await {
            Ok((kept, source)) => Ok(self.respond(&kept, source, request)),
            Err(error) => match last {
                Some(kept) if is_away(&error) => {
                    error.log();
                    Ok(self.respond(&kept, Source::Stale, request))
                }
                _ => {
                    self.kept.invalidate(&key).await;
                    Err(error)
                }
            },
        }
    }

    async fn refresh(
        &self,
        key: String,
        read: impl AsyncFnOnce() -> Result<Representation, ApiError>,
    ) -> Result<(Kept, Source), ApiError> {
        let result = self
            .kept
            .entry(key)
            .and_try_compute_with(async |present| {
                if let Some(entry) = present {
                    // Whoever held this key before may just have read it, or failed to.
                    if self.is_fresh(entry.value()) {
                        return Ok(Op::Nop);
                    }
                    if self.failed_recently() {
                        return Err(ApiError::unavailable("a read failed a moment ago"));
                    }
                }
                let generation = self.generation.load(Ordering::Relaxed);
                let read_at = clock::now();
                let representation = read().await.inspect_err(|error| self.note(error))?;
                Ok::<_, ApiError>(Op::Put(Kept {
                    representation,
                    read_at,
                    generation,
                }))
            })
            .await?;
        match result {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) => {
                Ok((entry.into_value(), Source::Miss))
            }
            CompResult::Unchanged(entry) | CompResult::Removed(entry) => {
                Ok((entry.into_value(), Source::Hit))
            }
            CompResult::StillNone(_) => Err(ApiError::internal("nothing was computed")),
        }
    }

    /// While it fails, callers who can be served something do not wait for it again.
    fn failed_recently(&self) -> bool {
        is_within(&self.failed_at, READ_AGAIN_AFTER)
    }

    fn note(&self, error: &ApiError) {
        if is_away(error) {
            self.failed_at
                .store(clock::now().unix_timestamp(), Ordering::Relaxed);
        }
    }

    /// By wall clock: a frozen environment's monotonic one stands still.
    fn is_fresh(&self, kept: &Kept) -> bool {
        kept.generation == self.generation.load(Ordering::Relaxed) && age(kept) < self.ttl
    }

    fn respond(&self, kept: &Kept, source: Source, request: &HeaderMap) -> Response {
        let representation = &kept.representation;
        let unchanged = representation.is_named(request);
        let mut response = if unchanged {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            Response::new(Body::from(representation.body.clone()))
        };
        let headers = response.headers_mut();
        if !unchanged {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        headers.insert(header::ETAG, representation.etag.clone());
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        headers.insert(header::AGE, HeaderValue::from(age(kept).as_secs()));
        headers.insert(
            X_CACHE,
            HeaderValue::from_static(match source {
                Source::Hit => "HIT",
                Source::Miss => "MISS",
                Source::Stale => "STALE",
            }),
        );
        if source == Source::Stale {
            let name = HeaderName::from_static("x-degraded");
            headers.insert(name, HeaderValue::from_static("database"));
        }
        response
    }
}

fn is_away(error: &ApiError) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::Timeout)
}

/// Whether the instant, in seconds since 1970, is at most `span` ago.
fn is_within(instant: &AtomicI64, span: Duration) -> bool {
    let age = clock::now().unix_timestamp() - instant.load(Ordering::Relaxed);
    u64::try_from(age).is_ok_and(|age| age < span.as_secs())
}

fn age(kept: &Kept) -> Duration {
    Duration::try_from(clock::now() - kept.read_at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn list(text: &str) -> Result<Representation, ApiError> {
        Representation::of(&text)
    }

    async fn ask(
        cache: &ReadCache,
        answer: Result<Representation, ApiError>,
    ) -> Result<(String, HeaderMap), ApiError> {
        let response = cache
            .answer("key".into(), &HeaderMap::new(), async || answer)
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
        cache.failed_at.store(0, Ordering::Relaxed);
        assert_eq!(ask(&cache, list("b")).await.unwrap().0, "\"b\"");
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
            cache.answer("key".into(), &headers, async || {
                reads.set(reads.get() + 1);
                tokio::task::yield_now().await;
                list("a")
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
            .answer("key".into(), &request, async || list("b"))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(response.headers()[header::ETAG], headers[header::ETAG]);
    }
}
