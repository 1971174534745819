//! How customers fared beside something, and how without it.

use super::answers::{Answer, Stretch, Summary, percentile, within};
use std::time::Duration;

/// One stretch of the traffic, and those around it.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Every act without it.
    pub quiet: Vec<Summary>,
    /// Every act beside it.
    pub beside: Vec<Summary>,
    /// All but one in a hundred of all answers came within this without it.
    pub quiet_p99: Duration,
    /// The same beside it.
    pub beside_p99: Duration,
}

impl Compared {
    /// Compares `beside` with what came before and after it: what grows or warms up with time
    /// counts for neither.
    pub fn of(answers: &[Answer], quiet: &[Stretch], beside: Stretch) -> Self {
        let (quiet, beside) = (within(answers, quiet), within(answers, &[beside]));
        Self {
            quiet: Summary::of_all(&quiet),
            beside: Summary::of_all(&beside),
            quiet_p99: p99(&quiet),
            beside_p99: p99(&beside),
        }
    }

    /// How many times the p99 without it the p99 beside it is.
    pub fn ratio(&self) -> f64 {
        self.beside_p99.as_secs_f64() / self.quiet_p99.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn p99(answers: &[Answer]) -> Duration {
    let mut took: Vec<_> = answers.iter().map(|answer| answer.took).collect();
    took.sort_unstable();
    percentile(&took, 99)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Act;

    fn answer((at, took): (u64, u64)) -> Answer {
        Answer {
            act: Act::Browse,
            at: Duration::from_secs(at),
            took: Duration::from_millis(took),
            status: 200,
            degraded: String::new(),
        }
    }

    #[test]
    fn a_stretch_is_compared_with_those_before_and_after_it() {
        let answers = [
            (0, 900),
            (5, 10),
            (6, 9),
            (20, 12),
            (21, 11),
            (30, 8),
            (50, 900),
        ];
        let span = |from, until| (Duration::from_secs(from), Duration::from_secs(until));
        let (before, beside, after) = (span(4, 7), span(20, 26), span(26, 40));
        let compared = Compared::of(&answers.map(answer), &[before, after], beside);
        assert_eq!(compared.quiet_p99, Duration::from_millis(10));
        assert_eq!(compared.beside_p99, Duration::from_millis(12));
        assert!((compared.ratio() - 1.2).abs() < 1e-9);
        assert_eq!((compared.quiet[0].asked, compared.beside[0].asked), (3, 2));
    }
}
