//! What clients got, and what that says of the shop's availability.

use std::time::Duration;
use uuid::Uuid;

/// What a customer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Looks at a list or a product.
    Browse,
    /// Signs in, with the password or the refresh token, whichever the shop can take.
    SignIn,
    /// Orders.
    Order,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Browse, Self::SignIn, Self::Order];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::SignIn => "sign-in",
            Self::Order => "order",
        }
    }
}

/// One answer of the shop.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked for.
    pub act: Act,
    /// When the request was sent, since the traffic began.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The value of `X-Degraded`; empty without one.
    pub degraded: String,
}

impl Answer {
    /// Whether the customer was served: a refusal for a reason of theirs (declined, sold out) is
    /// service, an error of the shop is not.
    pub fn served(&self) -> bool {
        match self.act {
            Act::Browse | Act::SignIn => self.status == 200,
            Act::Order => matches!(self.status, 201 | 202 | 402 | 409),
        }
    }
}

/// From one moment to another, since the traffic began.
pub type Stretch = (Duration, Duration);

/// The answers to what was asked for in one of the stretches.
pub fn within(answers: &[Answer], stretches: &[Stretch]) -> Vec<Answer> {
    let asked = |at: Duration| {
        stretches
            .iter()
            .any(|(from, until)| (*from..*until).contains(&at))
    };
    answers
        .iter()
        .filter(|answer| asked(answer.at))
        .cloned()
        .collect()
}

/// What became of one order, as its customer was told last.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who ordered.
    pub customer_id: Uuid,
    /// Under which key.
    pub key: String,
    /// The last status; 0 when there was none.
    pub status: u16,
    /// The total that the customer was told, in minor units.
    pub total_minor: Option<i64>,
    /// The order ids of all answers to this key, without repeats. More than one is a defect.
    pub ids: Vec<Uuid>,
}

impl Outcome {
    /// The order's id, once there was one.
    pub fn order_id(&self) -> Option<Uuid> {
        self.ids.last().copied()
    }

    /// Whether the shop said that it has the order.
    pub fn acknowledged(&self) -> bool {
        matches!(self.status, 201 | 202)
    }
}

/// How one act fared over a stretch of time.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was asked for.
    pub act: Act,
    /// Requests.
    pub asked: usize,
    /// Those that were served.
    pub served: usize,
    /// Half were answered within this.
    pub p50: Duration,
    /// All but one in a hundred were answered within this.
    pub p99: Duration,
    /// How often each status came, by status.
    pub statuses: Vec<(u16, usize)>,
}

impl Summary {
    /// Sums up the answers to each act.
    pub fn of_all(answers: &[Answer]) -> Vec<Self> {
        Act::ALL.map(|act| Self::of(answers, act)).into()
    }

    /// Sums up the answers to one act.
    pub fn of(answers: &[Answer], act: Act) -> Self {
        let of_act: Vec<&Answer> = answers.iter().filter(|answer| answer.act == act).collect();
        let mut took: Vec<_> = of_act.iter().map(|answer| answer.took).collect();
        took.sort_unstable();
        let mut statuses: Vec<(u16, usize)> = Vec::new();
        for answer in &of_act {
            match statuses
                .iter_mut()
                .find(|(status, _)| *status == answer.status)
            {
                Some((_, count)) => *count += 1,
                None => statuses.push((answer.status, 1)),
            }
        }
        statuses.sort_unstable();
        Self {
            act,
            asked: of_act.len(),
            served: of_act.iter().filter(|answer| answer.served()).count(),
            p50: percentile(&took, 50),
            p99: percentile(&took, 99),
            statuses,
        }
    }

    /// The share that was served, in percent; 100 when nothing was asked.
    pub fn availability(&self) -> f64 {
        if self.asked == 0 {
            return 100.0;
        }
        let part = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        part(self.served) * 100.0 / part(self.asked)
    }
}

/// The nearest-rank percentile of sorted values.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at: u64, status: u16) -> Answer {
        Answer {
            act: Act::Order,
            at: Duration::from_millis(at),
            took: Duration::from_millis(at),
            status,
            degraded: String::new(),
        }
    }

    #[test]
    fn a_refusal_is_service_and_an_error_is_not() {
        let answers: Vec<_> = [(1, 201), (2, 402), (3, 503), (4, 0), (99, 201)]
            .map(|(at, status)| answer(at, status))
            .into();
        let early = within(&answers, &[(Duration::ZERO, Duration::from_millis(50))]);
        let summary = Summary::of(&early, Act::Order);
        assert_eq!((summary.asked, summary.served), (4, 2));
        assert!((summary.availability() - 50.0).abs() < f64::EPSILON);
        assert_eq!(summary.p50, Duration::from_millis(2));
        assert_eq!(summary.p99, Duration::from_millis(4));
        assert_eq!(summary.statuses, [(0, 1), (201, 1), (402, 1), (503, 1)]);
    }

    #[test]
    fn nothing_asked_is_nothing_missed() {
        let summary = Summary::of(&[], Act::Browse);
        assert_eq!((summary.asked, summary.p99), (0, Duration::ZERO));
        assert!((summary.availability() - 100.0).abs() < f64::EPSILON);
    }
}
