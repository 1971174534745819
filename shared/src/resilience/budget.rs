//! How many retries a dependency gets, so that they never become the load that keeps it down.

use std::sync::{Mutex, PoisonError};

use super::policies::{DependencyPolicy, RETRY_WINDOW};

/// Counts calls and retries of one dependency in windows of [`RETRY_WINDOW`].
#[derive(Debug, Default)]
pub(super) struct RetryBudget(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began_ms: i64,
    calls: u32,
    retries: u32,
}

impl RetryBudget {
    /// A call is made for the first time, at `now_ms`.
    pub(super) fn earn(&self, now_ms: i64) {
        self.with(now_ms, |window| {
            window.calls = window.calls.saturating_add(1);
        });
    }

    /// Whether a call may be made once more at `now_ms`; if so, it is counted.
    pub(super) fn spend(&self, policy: &DependencyPolicy, now_ms: i64) -> bool {
        self.with(now_ms, |window| {
            let earned = u64::from(window.calls) * u64::from(policy.retries_percent) / 100;
            let allowed = earned.max(policy.retries_min.into());
            let may = u64::from(window.retries) < allowed;
            window.retries += u32::from(may);
            may
        })
    }

    fn with<T>(&self, now_ms: i64, work: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age_ms = u128::try_from(now_ms.saturating_sub(window.began_ms)).unwrap_or_default();
        if age_ms >= RETRY_WINDOW.as_millis() {
            *window = Window {
                began_ms: now_ms,
                ..Window::default()
            };
        }
        work(&mut window)
    }
}

#[cfg(test)]
mod tests {
    use super::super::policies::Dependency;
    use super::*;

    #[test]
    fn retries_amplify_load_by_a_fifth_at_most() {
        let (budget, policy) = (RetryBudget::default(), Dependency::Payments.policy());
        let mut retries = 0;
        for _ in 0..1_000 {
            budget.earn(0);
            // Every call fails, and would be tried three times in all.
            retries += u32::from(budget.spend(policy, 0)) + u32::from(budget.spend(policy, 0));
        }
        assert_eq!(retries, 200);
    }

    #[test]
    fn some_retries_are_allowed_however_few_calls_there_are() {
        let (budget, policy) = (RetryBudget::default(), Dependency::Payments.policy());
        budget.earn(0);
        let spent = (0..10).filter(|_| budget.spend(policy, 0)).count();
        assert_eq!(spent, policy.retries_min as usize);
        let next_window_ms = i64::try_from(RETRY_WINDOW.as_millis()).unwrap();
        assert!(budget.spend(policy, next_window_ms));
    }
}
