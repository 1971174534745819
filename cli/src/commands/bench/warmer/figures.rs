//! Figures of many requests.

use serde::Serialize;
use std::time::Duration;

/// One request.
pub(super) struct Sample {
    pub(super) took: Duration,
    /// Unknown when its log line was not found.
    pub(super) met_cold_start: Option<bool>,
}

/// What became of all of them.
#[derive(Serialize)]
pub(super) struct Figures {
    pub(super) requests: usize,
    pub(super) cold_starts: usize,
    /// Requests whose log line was not found; they are not in the share.
    pub(super) unknown: usize,
    /// Of those that are known.
    pub(super) cold_start_percent: Option<f64>,
    pub(super) median_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

impl Figures {
    pub(super) fn of(samples: &[Sample]) -> Self {
        let count = |seen: Option<bool>| {
            let samples = samples.iter();
            samples
                .filter(|sample| sample.met_cold_start == seen)
                .count()
        };
        let (cold_starts, unknown) = (count(Some(true)), count(None));
        let took: Vec<f64> = samples
            .iter()
            .map(|sample| sample.took.as_secs_f64() * 1_000.0)
            .collect();
        Self {
            requests: samples.len(),
            cold_starts,
            unknown,
            cold_start_percent: percent(cold_starts, samples.len() - unknown),
            median_ms: median(took.iter().copied()),
            p99_ms: percentile(took, 99),
        }
    }
}

/// The half.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    percentile(values.collect(), 50)
}

/// The least value that so many of a hundred do not exceed (nearest rank).
fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}

fn percent(part: usize, whole: usize) -> Option<f64> {
    let number = |count: usize| u32::try_from(count).ok().map(f64::from);
    let share = 100.0 * number(part)? / number(whole)?;
    share.is_finite().then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(took_ms: u64, met_cold_start: Option<bool>) -> Sample {
        Sample {
            took: Duration::from_millis(took_ms),
            met_cold_start,
        }
    }

    #[test]
    fn request_without_a_line_is_in_no_share() {
        let samples = [
            sample(3, Some(true)),
            sample(1, Some(false)),
            sample(2, None),
        ];
        let figures = Figures::of(&samples);
        assert_eq!((figures.requests, figures.unknown), (3, 1));
        assert_eq!(figures.cold_start_percent, Some(50.0));
        assert_eq!((figures.median_ms, figures.p99_ms), (Some(2.0), Some(3.0)));
    }

    #[test]
    fn nothing_has_no_figures() {
        let figures = Figures::of(&[]);
        assert_eq!((figures.cold_start_percent, figures.p99_ms), (None, None));
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(hundred.clone(), 99), Some(99.0));
        assert_eq!(percentile(hundred, 50), Some(50.0));
        assert_eq!(percentile(vec![7.0], 99), Some(7.0));
    }
}
