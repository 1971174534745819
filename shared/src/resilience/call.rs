//! The one way to call something outside. From the outside in: the deadline in
//! force, the bulkhead, retries within their budget, the breaker, one attempt's timeout.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::breaker::Outcome;
use super::breakers::Breakers;
use super::policies::{self, Intent, POLICIES, Policy, SLOW_PERCENT, WORTH_STARTING_PERCENT};
use crate::{clock, context};

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

    /// How long the dependency asked to be left alone, if it did.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
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
    /// The call was not made, not even once: too little time is left, too many calls are
    /// under way, or its breaker is open.
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

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed { source, .. } => source.retry_after(),
            Self::TimedOut { .. } | Self::NotStarted { .. } => None,
        }
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
/// The last attempt's error, a timeout, or a refusal to start. [`CallError::NotStarted`]
/// proves that no attempt was made.
pub async fn call<T, E, F>(
    intent: Intent,
    mut attempt: impl FnMut() -> F,
) -> Result<T, CallError<E>>
where
    E: Classify,
    F: Future<Output = Result<T, E>>,
{
    let policy = policies::policy(intent);
    let _permit = enter(policy).await?;
    let breakers = Breakers::here();
    breakers.budget(policy.dependency).earn(clock::now_ms());
    let worth_starting = percent(attempt_timeout(policy), WORTH_STARTING_PERCENT);
    if context::deadline().remaining() < worth_starting {
        return Err(not_started(policy, "too little time is left"));
    }
    let mut error = match attempt_once(&breakers, policy, &mut attempt).await {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut tried = 1;
    while let Some(pause) = pause_before_retry(&breakers, policy, &error, tried) {
        let dependency = policy.dependency.name();
        tracing::warn!(dependency, attempt = tried, error = %error, "trying again");
        tokio::time::sleep(pause).await;
        tried += 1;
        error = match attempt_once(&breakers, policy, &mut attempt).await {
            Ok(value) => return Ok(value),
            // Only what the attempt before came to is known.
            Err(CallError::NotStarted { .. }) => return Err(error),
            Err(error) => error,
        };
    }
    Err(error)
}

/// Calls `attempt` once within the timeout of `intent`, whatever its breaker says and without
/// telling it: for asking whether a dependency is there.
///
/// # Errors
/// The attempt's error, a timeout, or a refusal to start.
pub async fn probe<T, E, F>(intent: Intent, attempt: impl FnOnce() -> F) -> Result<T, CallError<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let policy = policies::policy(intent);
    let _permit = enter(policy).await?;
    let timeout = attempt_timeout(policy).min(context::deadline().remaining());
    let dependency = policy.dependency.name();
    match tokio::time::timeout(timeout, attempt()).await {
        Ok(result) => result.map_err(|source| CallError::Failed { dependency, source }),
        Err(_) => Err(CallError::TimedOut { dependency }),
    }
}

/// A place in the bulkhead. Whoever would get one too late for an attempt gets none,
/// while there is time to answer something else.
async fn enter<E>(policy: &Policy) -> Result<SemaphorePermit<'static>, CallError<E>> {
    let remaining = context::deadline().remaining();
    let wait = remaining.saturating_sub(attempt_timeout(policy));
    let place = BULKHEADS[policy.intent as usize].acquire();
    match tokio::time::timeout(wait, place).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(not_started(policy, "its bulkhead is full")),
    }
}

async fn attempt_once<T, E, F>(
    breakers: &Breakers,
    policy: &Policy,
    attempt: &mut impl FnMut() -> F,
) -> Result<T, CallError<E>>
where
    E: Classify,
    F: Future<Output = Result<T, E>>,
{
    let Some(permit) = breakers.admit(policy.dependency, clock::now_ms()).await else {
        return Err(not_started(policy, "its breaker is open"));
    };
    let full = attempt_timeout(policy);
    let timeout = full.min(context::deadline().remaining());
    let dependency = policy.dependency.name();
    let began = Instant::now();
    let result = match tokio::time::timeout(timeout, attempt()).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(CallError::Failed { dependency, source }),
        Err(_) => Err(CallError::TimedOut { dependency }),
    };
    let slow = began.elapsed() >= percent(full, SLOW_PERCENT);
    let outcome = match &result {
        // Cut off by the caller's deadline, it says nothing about the dependency.
        Err(CallError::TimedOut { .. }) if !slow => return result,
        Err(error) if error.class() == Class::Transient => Outcome::Ill,
        Ok(_) | Err(_) if slow => Outcome::Ill,
        Ok(_) | Err(_) => Outcome::Well,
    };
    breakers
        .settle(policy.dependency, permit, outcome, clock::now_ms())
        .await;
    result
}

/// How long to wait before the next attempt; `None` when there is none. One that could not finish is none.
fn pause_before_retry<E: Classify>(
    breakers: &Breakers,
    policy: &Policy,
    error: &CallError<E>,
    tried: u32,
) -> Option<Duration> {
    let helps = match error {
        CallError::NotStarted { .. } => false,
        error => error.class() == Class::Transient,
    };
    if !helps || tried >= policy.attempts_max {
        return None;
    }
    let pause = backoff(policy, tried).max(error.retry_after().unwrap_or_default());
    if pause.saturating_add(attempt_timeout(policy)) > context::deadline().remaining() {
        return None;
    }
    let budget = breakers.budget(policy.dependency);
    let may = budget.spend(policy.dependency.policy(), clock::now_ms());
    may.then_some(pause)
}

fn not_started<E>(policy: &Policy, reason: &'static str) -> CallError<E> {
    let dependency = policy.dependency.name();
    CallError::NotStarted { dependency, reason }
}

fn attempt_timeout(policy: &Policy) -> Duration {
    Duration::from_millis(policy.attempt_timeout_ms.into())
}

fn percent(span: Duration, percent: u32) -> Duration {
    span * percent / 100
}

fn backoff(policy: &Policy, tried: u32) -> Duration {
    let base = Duration::from_millis(policy.backoff_base_ms.into());
    full_jitter(
        base..=Duration::from_millis(policy.backoff_cap_ms.into()),
        tried,
    )
}

/// A random pause, at most the beginning of `ceilings` before the first repeat, twice as much
/// before each further one, and never more than their end. Full jitter, as in "Exponential
/// Backoff And Jitter" (AWS Architecture Blog, 2015).
pub fn full_jitter(ceilings: RangeInclusive<Duration>, tried: u32) -> Duration {
    let ceiling = ceilings.start().saturating_mul(1 << tried.min(16));
    let ceiling = ceiling.min(*ceilings.end());
    let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rand::rng().random_range(0..=ceiling))
}

#[cfg(test)]
mod tests;
