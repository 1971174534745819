//! Reads that many callers share, kept in process: one reader per key at a time,
//! fresh for a while. While the database is away they come from the last-good
//! catalogue, and from what is still kept here only when that is away as well.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use moka::Entry;
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use time::OffsetDateTime;

use super::{ApiError, Kind, Representation};
use crate::clock;
use crate::resilience::policies::{
    LAST_GOOD_FRESH, LAST_GOOD_KEPT, READ_AGAIN_AFTER, READ_AGAIN_AFTER_MAX, READ_PATIENCE,
    REPLICA_LAG,
};

/// All kept bodies together. An environment has 256 MB.
const KEPT_BYTES_MAX: u64 = 24 * 1024 * 1024;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

const X_DEGRADED: HeaderName = HeaderName::from_static("x-degraded");

#[derive(Debug, Clone)]
struct Kept {
    representation: Representation,
    origin: Origin,
    read_at: OffsetDateTime,
    /// Which of our own writes it was read after.
    generation: u64,
}

/// Where a kept read is from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Database,
    LastGood { written_at: OffsetDateTime },
}

/// A read of the last-good catalogue.
#[derive(Debug, Clone)]
pub struct LastGoodRead {
    /// What is sent.
    pub representation: Representation,
    /// When it was written there.
    pub written_at: OffsetDateTime,
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
    failures: AtomicU32,
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
            failures: AtomicU32::new(0),
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

    /// Answers with what is kept under `key`, or with what `read` gives or, while
    /// that is away, `last_good`. Of many callers of one key, one reads and the
    /// others wait for it.
    ///
    /// # Errors
    /// What `read` failed with, when there is nothing to serve instead. A thing
    /// that is gone is not served from the cache.
    pub async fn answer(
        &self,
        key: String,
        request: &HeaderMap,
        read: impl AsyncFnOnce() -> Result<Representation, ApiError>,
        last_good: impl AsyncFnOnce() -> Result<LastGoodRead, ApiError>,
    ) -> Result<Response, ApiError> {
        if let Some(kept) = self.kept.get(&key).await
            && let Some(source) = self.as_it_is(&kept)
        {
            return Ok(self.respond(&kept, source, request));
        }
        match self.refresh(key.clone(), read, last_good).await {
            Ok((kept, source)) => Ok(self.respond(&kept, source, request)),
            Err(error) => {
                self.kept.invalidate(&key).await;
                Err(error)
            }
        }
    }

    async fn refresh(
        &self,
        key: String,
        read: impl AsyncFnOnce() -> Result<Representation, ApiError>,
        last_good: impl AsyncFnOnce() -> Result<LastGoodRead, ApiError>,
    ) -> Result<(Kept, Source), ApiError> {
        let result = self
            .kept
            .entry(key)
            .and_try_compute_with(async |present| {
                let present = present.map(Entry::into_value);
                // Whoever held this key before may just have read it.
                if present
                    .as_ref()
                    .and_then(|kept| self.as_it_is(kept))
                    .is_some()
                {
                    return Ok(Op::Nop);
                }
                let away = match self.ask(read).await {
                    Err(error) if is_away(&error) => error,
                    result => return result.map(Op::Put),
                };
                match self.fall_back(last_good).await {
                    Err(error) if is_away(&error) && present.is_some() => Ok(Op::Nop),
                    // What broke first is what the caller is told of.
                    Err(error) if is_away(&error) => Err(away),
                    result => result.map(Op::Put),
                }
            })
            .await?;
        match result {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) => {
                let kept = entry.into_value();
                let source = match kept.origin {
                    Origin::Database => Source::Miss,
                    Origin::LastGood { .. } => Source::Stale,
                };
                Ok((kept, source))
            }
            CompResult::Unchanged(entry) | CompResult::Removed(entry) => {
                let kept = entry.into_value();
                let source = self.as_it_is(&kept).unwrap_or(Source::Stale);
                Ok((kept, source))
            }
            CompResult::StillNone(_) => Err(ApiError::internal("nothing was computed")),
        }
    }

    /// Reads from the database, unless that failed a moment ago.
    async fn ask(
        &self,
        read: impl AsyncFnOnce() -> Result<Representation, ApiError>,
    ) -> Result<Kept, ApiError> {
        if self.failed_recently() {
            return Err(ApiError::unavailable("a read failed a moment ago"));
        }
        let generation = self.generation.load(Ordering::Relaxed);
        let read_at = clock::now();
        let result = tokio::time::timeout(READ_PATIENCE, read()).await;
        let result = result.unwrap_or_else(|elapsed| Err(ApiError::unavailable(elapsed)));
        self.note(result.as_ref().err());
        Ok(Kept {
            representation: result?,
            origin: Origin::Database,
            read_at,
            generation,
        })
    }

    async fn fall_back(
        &self,
        last_good: impl AsyncFnOnce() -> Result<LastGoodRead, ApiError>,
    ) -> Result<Kept, ApiError> {
        let generation = self.generation.load(Ordering::Relaxed);
        let read_at = clock::now();
        let found = last_good().await.inspect_err(|error| {
            if is_away(error) {
                error.log();
            }
        })?;
        let origin = Origin::LastGood {
            written_at: found.written_at,
        };
        Ok(Kept {
            representation: found.representation,
            origin,
            read_at,
            generation,
        })
    }

    /// While reads fail, callers do not wait for each of them: the pauses between
    /// tries grow with every one that failed.
    fn failed_recently(&self) -> bool {
        let failures = self.failures.load(Ordering::Relaxed);
        let doubled = READ_AGAIN_AFTER.saturating_mul(1 << failures.saturating_sub(1).min(8));
        failures > 0 && is_within(&self.failed_at, doubled.min(READ_AGAIN_AFTER_MAX))
    }

    fn note(&self, error: Option<&ApiError>) {
        match error.filter(|error| is_away(error)) {
            Some(error) => {
                error.log();
                // Of several that failed at once, one counts.
                if !self.failed_recently() {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                }
                self.failed_at
                    .store(clock::now().unix_timestamp(), Ordering::Relaxed);
            }
            None => self.failures.store(0, Ordering::Relaxed),
        }
    }

    /// How a kept read can be served without asking anybody; `None` when it is
    /// too old. By wall clock: a frozen environment's monotonic one stands still.
    fn as_it_is(&self, kept: &Kept) -> Option<Source> {
        let (source, ttl) = match kept.origin {
            Origin::Database => (Source::Hit, self.ttl),
            Origin::LastGood { .. } => (Source::Stale, LAST_GOOD_FRESH),
        };
        let is_newest = kept.generation == self.generation.load(Ordering::Relaxed);
        (is_newest && since(kept.read_at) < ttl).then_some(source)
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
        let database = (source == Source::Stale).then_some("database");
        for missing in database.into_iter().chain(representation.missing) {
            headers.append(X_DEGRADED, HeaderValue::from_static(missing));
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

/// How long ago it was certainly so.
fn age(kept: &Kept) -> Duration {
    since(match kept.origin {
        Origin::Database => kept.read_at,
        Origin::LastGood { written_at } => written_at,
    })
}

fn since(instant: OffsetDateTime) -> Duration {
    Duration::try_from(clock::now() - instant).unwrap_or_default()
}

#[cfg(test)]
mod tests;
