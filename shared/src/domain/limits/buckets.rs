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
