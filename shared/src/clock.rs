//! The only place that asks what time it is.

use time::OffsetDateTime;

/// The wall clock, in UTC. A frozen Lambda environment stops its monotonic
/// clock, so every age that matters is measured with this one.
#[expect(clippy::disallowed_methods, reason = "This is the one place.")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// The same, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    i64::try_from(now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
