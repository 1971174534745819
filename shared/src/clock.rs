//! The only place that asks what time it is.

use time::OffsetDateTime;

/// The wall clock, in UTC. A frozen Lambda environment stops its monotonic
/// clock, so every age that matters is measured with this one.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
