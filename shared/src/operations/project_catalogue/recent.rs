//! What this environment brought to S3 lately, so that a burst of changes does not
//! make the same lists again for each of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use crate::resilience::policies::CLOCK_SKEW;

/// More are not remembered: then all is made again once.
const REMEMBERED_MAX: usize = 20_000;

/// When the rows of a part were read most recently, by the part's key.
#[derive(Debug, Default)]
pub struct Recent(Mutex<HashMap<String, OffsetDateTime>>);

impl Recent {
    /// The part was brought to what its rows were at `read_at` or later.
    pub(super) fn note(&self, key: String, read_at: OffsetDateTime) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= REMEMBERED_MAX {
            read.clear();
        }
        let latest = read.entry(key).or_insert(read_at);
        *latest = (*latest).max(read_at);
    }

    /// Whether the part has what was committed by `changed_at`, for certain: who
    /// says so may have another clock.
    pub(super) fn holds(&self, key: &str, changed_at: OffsetDateTime) -> bool {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(key)
            .is_some_and(|at| *at > changed_at + CLOCK_SKEW)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn part_that_was_read_later_holds_a_change() {
        let recent = Recent::default();
        let read_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(100);
        recent.note("list".to_owned(), read_at);
        // A read that began earlier and ended later does not count for more.
        recent.note("list".to_owned(), read_at - Duration::from_secs(50));
        assert!(recent.holds("list", read_at - CLOCK_SKEW - Duration::from_millis(1)));
        assert!(!recent.holds("list", read_at - CLOCK_SKEW));
        assert!(!recent.holds("other", OffsetDateTime::UNIX_EPOCH));
    }
}
