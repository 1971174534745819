//! A circuit breaker: when a dependency is called, and when it is left alone.
//!
//! Lazy, since nothing runs between invocations: an open one becomes half-open when somebody
//! asks. By the wall clock, since a frozen environment's monotonic one stands still. What
//! the environments tell each other goes through `breakers.rs`; here is one of them alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{Rng, RngExt};

use super::policies::DependencyPolicy;

/// An instant that no clock is before, in milliseconds since the epoch.
const PAST: i64 = 0;

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// None does.
    Open,
    /// One at a time does, to find out.
    HalfOpen,
}

impl BreakerState {
    /// Its name in logs, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an operator wants, whatever the calls say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// No call goes through.
    Open,
    /// Every call does.
    Closed,
}

impl Forced {
    /// Its name in logs and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What one call says about the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered, if only that the request is wrong.
    Well,
    /// It failed, or was so slow that it as good as did.
    Ill,
}

/// A change that is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transition {
    /// How it stood.
    pub from: BreakerState,
    /// How it stands.
    pub to: BreakerState,
    /// Until when nobody calls, if it opened; in milliseconds since the epoch.
    pub until_ms: i64,
}

/// What another environment wrote about the same dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shared {
    /// Until when nobody calls, in milliseconds since the epoch; `None`: it is closed.
    pub open_until_ms: Option<i64>,
    /// Counts the transitions that were written.
    pub version: u64,
    /// What an operator wants.
    pub forced: Option<Forced>,
}

/// What to do about a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Make it.
    Call,
    /// Leave it: it is open, or somebody is finding out.
    Refuse,
    /// It is time to find out, for whoever is elected.
    Probe,
}

#[derive(Debug)]
struct Inner {
    state: BreakerState,
    /// Failures in a row while closed; successes in a row while half-open.
    streak: u32,
    /// While open: until when. While half-open: until when this environment is the prober.
    until_ms: i64,
    /// Before, nobody asks to become the prober.
    elect_after_ms: i64,
    probing: bool,
    /// Counts the transitions: a call that was begun before one has no say after it.
    generation: u64,
    /// The last version written or read.
    version: u64,
    forced: Option<Forced>,
}

/// One dependency's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    policy: &'static DependencyPolicy,
    inner: Mutex<Inner>,
}

impl Breaker {
    pub(super) fn new(policy: &'static DependencyPolicy) -> Self {
        let inner = Inner {
            state: BreakerState::Closed,
            streak: 0,
            until_ms: PAST,
            elect_after_ms: PAST,
            probing: false,
            generation: 0,
            version: 0,
            forced: None,
        };
        Self {
            policy,
            inner: Mutex::new(inner),
        }
    }

    /// How it stands, and what an operator wants.
    pub(super) fn state(&self) -> (BreakerState, Option<Forced>) {
        let inner = self.lock();
        (inner.state, inner.forced)
    }

    /// The version that a transition of this environment follows.
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }

    /// What to do about a call at `now_ms`. Changes nothing.
    pub(super) fn advise(&self, now_ms: i64) -> Advice {
        let inner = self.lock();
        match (inner.forced, inner.state) {
            (Some(Forced::Closed), _) | (None, BreakerState::Closed) => Advice::Call,
            (Some(Forced::Open), _) => Advice::Refuse,
            (None, BreakerState::HalfOpen) if inner.probing => Advice::Refuse,
            (None, BreakerState::HalfOpen) if now_ms < inner.until_ms => Advice::Call,
            (None, BreakerState::Open) if now_ms < inner.until_ms => Advice::Refuse,
            _ if now_ms < inner.elect_after_ms => Advice::Refuse,
            _ => Advice::Probe,
        }
    }

    /// This environment finds out, from `now_ms` until `until_ms` alone. Another call of it
    /// may have found out while the election went on.
    pub(super) fn elected(&self, now_ms: i64, until_ms: i64) -> Option<Transition> {
        let mut inner = self.lock();
        match inner.state {
            BreakerState::Open if inner.until_ms <= now_ms => {
                Some(inner.go(BreakerState::HalfOpen, until_ms))
            }
            BreakerState::HalfOpen => {
                inner.until_ms = until_ms;
                None
            }
            BreakerState::Open | BreakerState::Closed => None,
        }
    }

    /// Another environment finds out; it is not asked about again before `after_ms`.
    pub(super) fn not_elected(&self, after_ms: i64) {
        self.lock().elect_after_ms = after_ms;
    }

    /// Lets a call through at `now_ms`, if it may be made.
    pub(super) fn admit(self: &Arc<Self>, now_ms: i64) -> Option<Permit> {
        if self.advise(now_ms) != Advice::Call {
            return None;
        }
        let mut inner = self.lock();
        let probe = inner.forced.is_none() && inner.state == BreakerState::HalfOpen;
        inner.probing |= probe;
        Some(Permit {
            breaker: Arc::clone(self),
            generation: inner.generation,
            probe,
        })
    }

    /// Takes over what another environment, or an operator, wrote.
    pub(super) fn adopt(&self, shared: Shared) -> Option<Transition> {
        let mut inner = self.lock();
        if inner.forced != shared.forced {
            // What calls said under another regime counts no more.
            inner.forced = shared.forced;
            inner.streak = 0;
            inner.generation += 1;
            inner.probing = false;
        }
        if shared.version <= inner.version {
            return None;
        }
        inner.version = shared.version;
        match (shared.open_until_ms, inner.state) {
            (None, BreakerState::Closed) => None,
            (None, _) => Some(inner.go(BreakerState::Closed, PAST)),
            (Some(until_ms), BreakerState::Open) => {
                inner.until_ms = inner.until_ms.max(until_ms);
                None
            }
            (Some(until_ms), _) => Some(inner.go(BreakerState::Open, until_ms)),
        }
    }

    /// This environment wrote `version`.
    pub(super) fn wrote(&self, version: u64) {
        let mut inner = self.lock();
        inner.version = inner.version.max(version);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn go(&mut self, to: BreakerState, until_ms: i64) -> Transition {
        let from = std::mem::replace(&mut self.state, to);
        self.until_ms = until_ms;
        self.streak = 0;
        self.probing = false;
        self.elect_after_ms = PAST;
        self.generation += 1;
        Transition { from, to, until_ms }
    }
}

/// The right to make one call. Dropped without an outcome, by a cancelled future, it is as if the call had not been made.
#[derive(Debug)]
pub(super) struct Permit {
    breaker: Arc<Breaker>,
    generation: u64,
    probe: bool,
}

impl Permit {
    /// Says at `now_ms` how the call went. A straggler, begun before the last transition, is not heard.
    pub(super) fn settle(
        self,
        outcome: Outcome,
        now_ms: i64,
        rng: &mut impl Rng,
    ) -> Option<Transition> {
        let mut inner = self.breaker.lock();
        if inner.generation != self.generation || inner.forced.is_some() {
            return None;
        }
        let policy = self.breaker.policy;
        match (inner.state, outcome) {
            (BreakerState::Open, _) => None,
            (BreakerState::Closed, Outcome::Well) => {
                inner.streak = 0;
                None
            }
            (BreakerState::Closed, Outcome::Ill) => {
                inner.streak += 1;
                let opens = inner.streak >= policy.failures_max;
                opens.then(|| inner.go(BreakerState::Open, now_ms + open_ms(policy, rng)))
            }
            (BreakerState::HalfOpen, Outcome::Ill) => {
                Some(inner.go(BreakerState::Open, now_ms + open_ms(policy, rng)))
            }
            (BreakerState::HalfOpen, Outcome::Well) => {
                inner.streak += 1;
                inner.probing = false;
                let closes = inner.streak >= policy.successes_to_close;
                closes.then(|| inner.go(BreakerState::Closed, PAST))
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut inner = self.breaker.lock();
        if self.probe && inner.generation == self.generation {
            inner.probing = false;
        }
    }
}

/// Between a half and the whole of the open time, so that environments do not come back as one.
fn open_ms(policy: &DependencyPolicy, rng: &mut impl Rng) -> i64 {
    rng.random_range(policy.open_ms / 2..=policy.open_ms).into()
}

#[cfg(test)]
mod tests;
