//! The only place that asks what time it is.

use time::OffsetDateTime;

/// The wall clock, in UTC. A frozen Lambda environment stops its monotonic
/// clock, so every age that matters is measured with this one.
#[cfg(not(test))]
#[expect(clippy::disallowed_methods, reason = "This is the one place.")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// In tests of this crate it goes with tokio's clock, so that paused time is paused for ages too.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "This is the one place.")]
pub fn now() -> OffsetDateTime {
    use std::sync::LazyLock;
    static BEGAN: LazyLock<(OffsetDateTime, std::time::Instant)> =
        LazyLock::new(|| (OffsetDateTime::now_utc(), std::time::Instant::now()));
    let (began, instant) = *BEGAN;
    let now = tokio::time::Instant::now().into_std();
    match now.checked_duration_since(instant) {
        Some(since) => began + since,
        // A paused clock may have been paused before the first look at this one.
        None => began - instant.duration_since(now),
    }
}

/// The same, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    i64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
