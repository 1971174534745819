//! The buckets that one environment remembers by itself.

use std::collections::HashMap;

/// Theoretical arrival times by bucket, at most so many. When there are more,
/// the fullest are remembered: forgetting one only ever makes a limit looser.
#[derive(Debug)]
pub struct Buckets {
    arrivals: HashMap<String, i64>,
    capacity: usize,
}

impl Buckets {
    /// No bucket yet, and never more than `capacity`.
    pub fn new(capacity: usize) -> Self {
        Self {
            arrivals: HashMap::new(),
            capacity: capacity.max(1),
        }
    }

    /// The theoretical arrival time; long ago for a bucket that is not remembered.
    pub fn arrival_us(&self, id: &str) -> i64 {
        self.arrivals.get(id).copied().unwrap_or_default()
    }

    /// Remembers a theoretical arrival time, unless a later one is known.
    pub fn raise(&mut self, id: &str, arrival_us: i64, now_us: i64) {
        if let Some(known) = self.arrivals.get_mut(id) {
            *known = arrival_us.max(*known);
            return;
        }
        if self.arrivals.len() >= self.capacity {
            self.make_room(now_us);
        }
        self.arrivals.insert(id.to_owned(), arrival_us);
    }

    /// Forgets a bucket.
    pub fn forget(&mut self, id: &str) {
        self.arrivals.remove(id);
    }

    /// Forgets whatever has its whole quota, and if that is not enough the emptier
    /// half, so that the next many callers need no room to be made.
    fn make_room(&mut self, now_us: i64) {
        self.arrivals.retain(|_, arrival| *arrival > now_us);
        if self.arrivals.len() < self.capacity {
            return;
        }
        let mut arrivals: Vec<i64> = self.arrivals.values().copied().collect();
        let middle = arrivals.len() / 2;
        let (_, median, _) = arrivals.select_nth_unstable(middle);
        self.arrivals.retain(|_, arrival| *arrival > *median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_790_000_000_000_000;

    #[test]
    fn full_memory_forgets_the_emptiest_buckets_first() {
        let mut buckets = Buckets::new(100);
        buckets.raise("attacker", NOW_US + 50 * 1_000_000, NOW_US);
        for caller in 0..1_000 {
            buckets.raise(&format!("caller {caller}"), NOW_US + caller, NOW_US);
        }
        assert_eq!(buckets.arrival_us("attacker"), NOW_US + 50 * 1_000_000);
        assert!(buckets.arrivals.len() <= 100);
    }

    #[test]
    fn memory_never_goes_back() {
        let mut buckets = Buckets::new(2);
        buckets.raise("a", NOW_US + 5, NOW_US);
        buckets.raise("a", NOW_US + 1, NOW_US);
        assert_eq!(buckets.arrival_us("a"), NOW_US + 5);
        buckets.forget("a");
        assert_eq!(buckets.arrival_us("a"), 0);
    }
}
