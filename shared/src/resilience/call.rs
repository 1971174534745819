//! The one way to call something outside: bulkhead, retry, attempt timeout,
//! all within the deadline in force.

use std::time::Duration;

use rand::Rng;
use tokio::sync::Semaphore;

use super::policies::{self, Intent, POLICIES, Policy};
use crate::context;

/// Whose fault a failure is, and so whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request was wrong; it will be wrong again.
    Caller,
    /// It may work in a moment.
    Transient,
    /// It will not work until somebody acts.
    Permanent,
}

/// Every provider's error says which class it is. Nothing is retried unless it
/// says [`Class::Transient`].
pub trait Classify {
    /// The failure's class.
    fn class(&self) -> Class;
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The dependency answered with an error.
    #[error("{dependency} failed")]
    Failed {
        /// The dependency's name.
        dependency: &'static str,
        /// Its error.
        #[source]
        source: E,
    },
    /// The last attempt took longer than its policy allows. Whether it had its effect is not known.
    #[error("{dependency} did not answer in time")]
    TimedOut {
        /// The dependency's name.
        dependency: &'static str,
    },
    /// The call was not made: the deadline has passed or too many calls are under way.
    #[error("{dependency} was not called: {reason}")]
    NotStarted {
        /// The dependency's name.
        dependency: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

impl<E: Classify> CallError<E> {
    /// The failure's class.
    pub fn class(&self) -> Class {
        match self {
            Self::Failed { source, .. } => source.class(),
            Self::TimedOut { .. } | Self::NotStarted { .. } => Class::Transient,
        }
    }
}

impl<E: Classify> Classify for CallError<E> {
    fn class(&self) -> Class {
        Self::class(self)
    }
}

static BULKHEADS: [Semaphore; POLICIES.len()] = {
    let mut bulkheads = [const { Semaphore::const_new(0) }; POLICIES.len()];
    let mut index = 0;
    while index < POLICIES.len() {
        bulkheads[index] = Semaphore::const_new(POLICIES[index].bulkhead);
        index += 1;
    }
    bulkheads
};

/// Calls `attempt` under the policy of `intent`.
///
/// # Errors
/// The last attempt's error, a timeout, or a refusal to start. An attempt that
/// could not finish before the deadline is not started.
pub async fn call<T, E, F>(
    intent: Intent,
    mut attempt: impl FnMut() -> F,
) -> Result<T, CallError<E>>
where
    E: Classify,
    F: Future<Output = Result<T, E>>,
{
    let policy = policies::policy(intent);
    let dependency = policy.dependency;
    let not_started = |reason| CallError::NotStarted { dependency, reason };
    let _permit = tokio::time::timeout(
        context::deadline().remaining(),
        BULKHEADS[intent as usize].acquire(),
    )
    .await
    .map_err(|_| not_started("its bulkhead is full"))?;
    let mut tried = 0;
    loop {
        let remaining = context::deadline().remaining();
        if remaining.is_zero() {
            return Err(not_started("the deadline has passed"));
        }
        tried += 1;
        let timeout = remaining.min(Duration::from_millis(policy.attempt_timeout_ms.into()));
        let error = match tokio::time::timeout(timeout, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(source)) => CallError::Failed { dependency, source },
            Err(_) => CallError::TimedOut { dependency },
        };
        let pause = backoff(policy, tried);
        if tried >= policy.attempts_max
            || error.class() != Class::Transient
            || pause >= context::deadline().remaining()
        {
            return Err(error);
        }
        tracing::warn!(dependency, attempt = tried, error = %error, "trying again");
        tokio::time::sleep(pause).await;
    }
}

/// Full jitter, as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
fn backoff(policy: &Policy, tried: u32) -> Duration {
    let ceiling = policy
        .backoff_base_ms
        .saturating_mul(1 << tried.min(16))
        .min(policy.backoff_cap_ms);
    Duration::from_millis(rand::rng().random_range(0..=ceiling).into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it broke")]
    struct Broken(Class);

    impl Classify for Broken {
        fn class(&self) -> Class {
            self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failure_is_tried_as_often_as_the_policy_says() {
        let tries = Cell::new(0);
        let result: Result<(), _> = call(Intent::DynamoRead, || {
            tries.set(tries.get() + 1);
            async { Err(Broken(Class::Transient)) }
        })
        .await;
        assert!(matches!(
            result,
            Err(CallError::Failed {
                dependency: "dynamodb",
                ..
            })
        ));
        assert_eq!(
            tries.get(),
            policies::policy(Intent::DynamoRead).attempts_max
        );
    }

    #[tokio::test(start_paused = true)]
    async fn callers_fault_is_not_tried_again() {
        let tries = Cell::new(0);
        let result: Result<(), _> = call(Intent::DynamoRead, || {
            tries.set(tries.get() + 1);
            async { Err(Broken(Class::Caller)) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn second_attempt_may_succeed() {
        let tries = Cell::new(0);
        let result = call(Intent::DynamoRead, || {
            tries.set(tries.get() + 1);
            let tried = tries.get();
            async move {
                if tried == 1 {
                    Err(Broken(Class::Transient))
                } else {
                    Ok(tried)
                }
            }
        })
        .await;
        assert_eq!(result.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_dependency_times_out() {
        let started = tokio::time::Instant::now();
        let result: Result<(), CallError<Broken>> =
            call(Intent::PaymentWrite, std::future::pending).await;
        assert!(matches!(result, Err(CallError::TimedOut { .. })));
        let allowed = Duration::from_millis(policies::worst_case_ms(Intent::PaymentWrite).into());
        assert!(started.elapsed() <= allowed + Duration::from_millis(5));
    }
}
