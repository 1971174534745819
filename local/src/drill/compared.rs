//! How customers fared beside something, and how without it.

use super::answers::{Act, Answer, Summary, percentile};
use std::time::Duration;

/// From one moment to another, since the traffic began.
pub type Stretch = (Duration, Duration);

/// Two stretches of the same traffic, of the same length.
#[derive(Clone, Debug)]
pub struct Compared {
    /// How long each of them was.
    pub length: Duration,
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
    /// Compares the end of `quiet` with the beginning of `beside`, as long as the shorter one.
    pub fn of(answers: &[Answer], quiet: Stretch, beside: Stretch) -> Self {
        let long = |(from, until): Stretch| until.saturating_sub(from);
        let length = long(quiet).min(long(beside));
        let quiet = (quiet.1.saturating_sub(length), quiet.1);
        let beside = (beside.0, beside.0 + length);
        let acts = |(from, until)| Act::ALL.map(|act| Summary::of(answers, act, from, until));
        Self {
            length,
            quiet: acts(quiet).into(),
            beside: acts(beside).into(),
            quiet_p99: p99(answers, quiet),
            beside_p99: p99(answers, beside),
        }
    }

    /// How many times the p99 without it the p99 beside it is.
    pub fn ratio(&self) -> f64 {
        self.beside_p99.as_secs_f64() / self.quiet_p99.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn p99(answers: &[Answer], (from, until): Stretch) -> Duration {
    let within = answers
        .iter()
        .filter(|answer| (from..until).contains(&answer.at));
    let mut took: Vec<_> = within.map(|answer| answer.took).collect();
    took.sort_unstable();
    percentile(&took, 99)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at: u64, took: u64) -> Answer {
        Answer {
            act: Act::Browse,
            at: Duration::from_secs(at),
            took: Duration::from_millis(took),
            status: 200,
            degraded: String::new(),
        }
    }

    #[test]
    fn stretches_of_one_length_are_compared() {
        let answers = [(0, 900), (5, 10), (6, 10), (20, 12), (21, 12), (29, 900)];
        let answers = answers.map(|(at, took)| answer(at, took));
        let span = |from, until| (Duration::from_secs(from), Duration::from_secs(until));
        let compared = Compared::of(&answers, span(0, 10), span(20, 26));
        assert_eq!(compared.length, Duration::from_secs(6));
        assert_eq!(compared.quiet_p99, Duration::from_millis(10));
        assert_eq!(compared.beside_p99, Duration::from_millis(12));
        assert!((compared.ratio() - 1.2).abs() < 1e-9);
        assert_eq!((compared.quiet[0].asked, compared.beside[0].asked), (2, 2));
        let other = Compared::of(&answers, span(4, 7), span(20, 30));
        assert_eq!(other.length, Duration::from_secs(3));
        assert_eq!(other.beside_p99, Duration::from_millis(12));
    }
}
