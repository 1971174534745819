//! The breakers of this environment, and what it tells the others.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;

use super::breaker::{Advice, Breaker, BreakerState, Forced, Outcome, Permit, Shared, Transition};
use super::budget::RetryBudget;
use super::policies::{DEPENDENCIES, Dependency, DependencyPolicy, PROBE_AGAIN_AFTER, PROBE_LEASE};
use crate::{clock, telemetry};

/// Where the environments tell each other how their breakers stand. It makes breakers
/// quicker, never correct: while it is away each environment finds out by itself.
pub trait SharedState: Send + Sync {
    /// Reads it again if what is known is old; short, and never fails.
    fn refresh(&self) -> BoxFuture<'_, ()>;

    /// What was read last, if anything is known.
    fn known(&self, dependency: Dependency) -> Option<Shared>;

    /// Asks to be the only one to find out, until `until_ms`.
    fn elect(&self, dependency: Dependency, until_ms: i64) -> BoxFuture<'_, Election>;

    /// Writes a transition that follows `version`: open until then, or closed. Answers
    /// the new version, or `None` when somebody else wrote first or it is away.
    fn publish(
        &self,
        dependency: Dependency,
        version: u64,
        open_until_ms: Option<i64>,
    ) -> BoxFuture<'_, Option<u64>>;
}

/// Who finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// This environment, or everyone for themselves because the others cannot be asked.
    Won,
    /// Another one.
    Lost,
}

thread_local! {
    // A deployed environment has one thread, and so has each test.
    static ENVIRONMENT: Arc<Breakers> = Arc::default();
}

/// A breaker and a retry budget per dependency.
pub(super) struct Breakers {
    guards: [(Arc<Breaker>, RetryBudget); DEPENDENCIES.len()],
    shared: OnceLock<Arc<dyn SharedState>>,
}

impl Default for Breakers {
    fn default() -> Self {
        let guard = |row| (Arc::new(Breaker::new(row)), RetryBudget::default());
        Self {
            guards: DEPENDENCIES.each_ref().map(guard),
            shared: OnceLock::new(),
        }
    }
}

/// From now on the environments tell each other through `shared`. The first one given stays.
pub fn share_breakers(shared: Arc<dyn SharedState>) {
    let _ = Breakers::here().shared.set(shared);
}

/// How the breaker of `dependency` stands in this environment, and what an operator wants of it.
pub fn breaker(dependency: Dependency) -> (BreakerState, Option<Forced>) {
    let breakers = Breakers::here();
    breakers.adopt(dependency);
    breakers.guard(dependency).0.state()
}

impl Breakers {
    /// This environment's.
    pub(super) fn here() -> Arc<Self> {
        ENVIRONMENT.with(Arc::clone)
    }

    pub(super) fn budget(&self, dependency: Dependency) -> &RetryBudget {
        &self.guard(dependency).1
    }

    /// Lets a call through at `now_ms`, or does not.
    pub(super) async fn admit(&self, dependency: Dependency, now_ms: i64) -> Option<Permit> {
        let (breaker, _) = self.guard(dependency);
        if let Some(shared) = self.shared_by(dependency) {
            shared.refresh().await;
        }
        self.adopt(dependency);
        if breaker.advise(now_ms) == Advice::Probe {
            self.elect(dependency, now_ms).await;
        }
        breaker.admit(now_ms)
    }

    /// Says at `now_ms` how a call went.
    pub(super) async fn settle(
        &self,
        dependency: Dependency,
        permit: Permit,
        outcome: Outcome,
        now_ms: i64,
    ) {
        let Some(transition) = permit.settle(outcome, now_ms, &mut rand::rng()) else {
            return;
        };
        tell(dependency.policy(), transition);
        let Some(shared) = self.shared_by(dependency) else {
            return;
        };
        let (breaker, _) = self.guard(dependency);
        let open_until_ms = (transition.to == BreakerState::Open).then_some(transition.until_ms);
        let written = shared.publish(dependency, breaker.version(), open_until_ms);
        if let Some(version) = written.await {
            breaker.wrote(version);
        }
    }

    async fn elect(&self, dependency: Dependency, now_ms: i64) {
        let (breaker, _) = self.guard(dependency);
        let lease_ms = milliseconds(PROBE_LEASE);
        let election = match self.shared_by(dependency) {
            Some(shared) => shared.elect(dependency, now_ms + lease_ms).await,
            None => Election::Won,
        };
        match election {
            Election::Lost => breaker.not_elected(now_ms + milliseconds(PROBE_AGAIN_AFTER)),
            Election::Won => {
                // The lease's second half is for what is begun at the end of the first.
                if let Some(transition) = breaker.elected(now_ms, now_ms + lease_ms / 2) {
                    tell(dependency.policy(), transition);
                }
            }
        }
    }

    /// Takes over what was read last. An operator's word counts for every dependency.
    fn adopt(&self, dependency: Dependency) {
        let Some(known) = self.shared.get().and_then(|it| it.known(dependency)) else {
            return;
        };
        let (breaker, _) = self.guard(dependency);
        if breaker.state().1 != known.forced {
            let forced = known.forced.map_or("no more", Forced::name);
            tracing::warn!(dependency = dependency.name(), forced, "breaker");
        }
        if let Some(transition) = breaker.adopt(known) {
            tell(dependency.policy(), transition);
        }
    }

    fn shared_by(&self, dependency: Dependency) -> Option<&Arc<dyn SharedState>> {
        self.shared.get().filter(|_| dependency.policy().shared)
    }

    fn guard(&self, dependency: Dependency) -> &(Arc<Breaker>, RetryBudget) {
        &self.guards[dependency as usize]
    }
}

/// One line in the log and one metric for every transition.
fn tell(policy: &DependencyPolicy, transition: Transition) {
    let Transition { from, to, .. } = transition;
    tracing::warn!(
        dependency = policy.name,
        breaker.from = from.name(),
        breaker.state = to.name(),
        open_ms = (transition.until_ms - clock::now_ms()).max(0),
        meanwhile = policy.meanwhile,
        "breaker"
    );
    let is_open = f64::from(u8::from(to != BreakerState::Closed));
    telemetry::count(
        ("dependency", policy.name),
        &[("BreakerTransition", 1.0), ("BreakerOpen", is_open)],
    );
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
