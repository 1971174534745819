//! How much of what comes in is kept when it is too much: honestly, because what is kept says for
//! how many it stands.

use std::sync::{Mutex, PoisonError};

use super::policies::{REPORT_WINDOW, REPORTED_MAX};
use crate::clock;

/// One in so many is kept, the more the more there is.
const WEIGHTS: [u32; 3] = [1, 10, 100];

/// Counts what comes to this environment.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    /// In seconds since 1970.
    began_at: i64,
    units: u32,
}

impl Sampler {
    /// Counts some more. Of how many one is to be kept at this moment.
    pub fn weigh(&self, units: usize) -> u32 {
        let now = clock::now().unix_timestamp();
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = u64::try_from(now - window.began_at).unwrap_or(u64::MAX);
        if age >= REPORT_WINDOW.as_secs() {
            *window = Window {
                began_at: now,
                units: 0,
            };
        }
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        window.units = window.units.saturating_add(units);
        let enough = |weight: &u32| window.units <= REPORTED_MAX.saturating_mul(*weight);
        let [.., most] = WEIGHTS;
        WEIGHTS.into_iter().find(enough).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn more_is_kept_less_until_it_is_quiet_again() {
        let sampler = Sampler::default();
        let max = usize::try_from(REPORTED_MAX).unwrap();
        assert_eq!(sampler.weigh(max), 1);
        assert_eq!(sampler.weigh(1), 10);
        assert_eq!(sampler.weigh(10 * max), 100);
        assert_eq!(sampler.weigh(1_000 * max), 100);
        tokio::time::advance(REPORT_WINDOW).await;
        assert_eq!(sampler.weigh(1), 1);
    }
}
