//! How much a product is looked at lately: every point loses half of its worth each day.
//!
//! What is stored is the logarithm of the sum, as of one fixed instant. All products fade alike,
//! so their order stays without anything being computed again; and sums do not depend on the order
//! in which their parts come.

use time::OffsetDateTime;

/// In this many seconds a point loses half of its worth.
const HALF_LIFE_SECONDS: f64 = 86_400.0;

/// The logarithm (base 2) of what points from one instant are worth, for all time.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Heat(f64);

impl Heat {
    /// Of some points at an instant; there must be any.
    pub fn of(points: u32, at: OffsetDateTime) -> Self {
        let seconds = at.unix_timestamp() as f64;
        Self(f64::from(points.max(1)).log2() + seconds / HALF_LIFE_SECONDS)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (more, less) = (self.0.max(other.0), self.0.min(other.0));
        Self(more + (1.0 + (less - more).exp2()).log2())
    }

    /// The number that is stored.
    pub const fn value(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::Duration;

    use super::*;

    fn on_day(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(20_000 + day)
    }

    fn close(one: Heat, other: Heat) -> bool {
        (one.0 - other.0).abs() < 1e-6
    }

    #[test]
    fn point_is_worth_half_a_day_later() {
        assert!(close(Heat::of(2, on_day(0)), Heat::of(1, on_day(1))));
        let two = Heat::of(1, on_day(0)).and(Heat::of(1, on_day(0)));
        assert!(close(two, Heat::of(2, on_day(0))));
        // Ten views of last week are less than one of today.
        assert!(Heat::of(10, on_day(-7)) < Heat::of(1, on_day(0)));
    }

    proptest! {
        #[test]
        fn parts_may_come_in_any_order(
            parts in prop::collection::vec((1_u32..500, -30_i64..30), 1..20),
            turn in 0_usize..20,
        ) {
            let sum = |parts: &[(u32, i64)]| {
                let heats = parts.iter().map(|(points, day)| Heat::of(*points, on_day(*day)));
                heats.reduce(Heat::and).unwrap()
            };
            let mut turned = parts.clone();
            turned.rotate_left(turn % parts.len());
            prop_assert!(close(sum(&parts), sum(&turned)));
        }

        #[test]
        fn more_is_hotter(points in 1_u32..500, day in -30_i64..30, more in 1_u32..500) {
            let before = Heat::of(points, on_day(day));
            prop_assert!(before.and(Heat::of(more, on_day(day))) > before);
        }
    }
}
