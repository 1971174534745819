//! Going on to the next of several targets that can do the same.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::call::{Class, Classify};
use super::policies::FAILOVER_KEPT;
use crate::clock;

/// At least one target, the best one first, and which of them is used for now.
#[derive(Debug)]
pub struct Targets<T> {
    first: T,
    others: Vec<T>,
    preferred: AtomicUsize,
    /// From then on the first target is tried again.
    kept_until_ms: AtomicI64,
}

impl<T> Targets<T> {
    /// `first`, and the `others` in the order in which they stand in for it.
    pub fn new(first: T, others: impl IntoIterator<Item = T>) -> Self {
        Self {
            first,
            others: others.into_iter().collect(),
            preferred: AtomicUsize::new(0),
            kept_until_ms: AtomicI64::new(0),
        }
    }

    /// Every target, the best one first.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Which one to begin with at `now_ms`.
    fn preferred(&self, now_ms: i64) -> usize {
        if now_ms < self.kept_until_ms.load(Ordering::Relaxed) {
            self.preferred.load(Ordering::Relaxed)
        } else {
            0
        }
    }

    /// `index` worked. By going on to work it does not stay preferred: its time
    /// runs out, and the first one is tried again.
    fn worked(&self, index: usize, now_ms: i64) {
        if self.preferred(now_ms) != index {
            let kept_ms = i64::try_from(FAILOVER_KEPT.as_millis()).unwrap_or(i64::MAX);
            self.preferred.store(index, Ordering::Relaxed);
            self.kept_until_ms
                .store(now_ms.saturating_add(kept_ms), Ordering::Relaxed);
        }
    }
}

/// Tries the targets one after the other until one works; that one is begun with
/// for the next [`FAILOVER_KEPT`].
///
/// `attempt` makes its call under a policy. Where each target has a row of its
/// own there, it has a breaker of its own, and while that is open the target
/// is passed over at no cost. A caller's fault ends it, since it would be
/// one at every target.
///
/// # Errors
/// The caller's fault, or what the last target said.
pub async fn failover<'t, T, R, E, F>(
    targets: &'t Targets<T>,
    attempt: impl Fn(&'t T) -> F,
) -> Result<R, E>
where
    E: Classify + std::error::Error,
    F: Future<Output = Result<R, E>>,
{
    let preferred = targets.preferred(clock::now_ms());
    let mut others = targets
        .all()
        .enumerate()
        .filter(|(index, _)| *index != preferred);
    let begin_with = targets.all().nth(preferred).unwrap_or(&targets.first);
    let (mut index, mut target) = (preferred, begin_with);
    loop {
        let error = match attempt(target).await {
            Ok(result) => {
                targets.worked(index, clock::now_ms());
                return Ok(result);
            }
            Err(error) if error.class() == Class::Caller => return Err(error),
            Err(error) => error,
        };
        let Some(next) = others.next() else {
            return Err(error);
        };
        tracing::warn!(target = index, error = %error, "going on to the next target");
        (index, target) = next;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::call::CallError;
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it broke")]
    struct Broken(Class);

    impl Classify for Broken {
        fn class(&self) -> Class {
            self.0
        }
    }

    /// Calls targets that answer with their name, or fail as `classes` says; tells who was asked.
    async fn ask(
        targets: &Targets<&'static str>,
        failing: &[(&str, Class)],
    ) -> (Vec<&'static str>, Option<&'static str>) {
        let asked = Mutex::new(Vec::new());
        let answer = failover(targets, |target| {
            asked.lock().unwrap().push(*target);
            let fails = failing.iter().find(|(name, _)| name == target);
            async move {
                match fails {
                    Some((_, class)) => Err(CallError::Failed {
                        dependency: "it",
                        source: Broken(*class),
                    }),
                    None => Ok(*target),
                }
            }
        })
        .await;
        (asked.into_inner().unwrap(), answer.ok())
    }

    #[tokio::test]
    async fn first_target_that_works_answers() {
        let targets = Targets::new("a", ["b", "c"]);
        assert_eq!(ask(&targets, &[]).await, (vec!["a"], Some("a")));
        let failing = [("a", Class::Transient), ("b", Class::Permanent)];
        assert_eq!(
            ask(&targets, &failing).await,
            (vec!["a", "b", "c"], Some("c"))
        );
    }

    #[tokio::test]
    async fn last_good_target_is_kept_for_a_while() {
        let targets = Targets::new("a", ["b"]);
        ask(&targets, &[("a", Class::Transient)]).await;
        assert_eq!(ask(&targets, &[]).await, (vec!["b"], Some("b")));
        // It fails in its turn: back to the first.
        let failing = [("b", Class::Transient)];
        assert_eq!(ask(&targets, &failing).await, (vec!["b", "a"], Some("a")));
        assert_eq!(ask(&targets, &[]).await, (vec!["a"], Some("a")));
    }

    #[test]
    fn first_target_is_tried_again_however_well_another_works() {
        let targets = Targets::new("a", ["b"]);
        let kept_ms = i64::try_from(FAILOVER_KEPT.as_millis()).unwrap();
        targets.worked(1, 0);
        targets.worked(1, kept_ms - 1);
        assert_eq!(targets.preferred(kept_ms - 1), 1);
        assert_eq!(targets.preferred(kept_ms), 0);
    }

    #[tokio::test]
    async fn callers_fault_is_not_taken_elsewhere() {
        let targets = Targets::new("a", ["b"]);
        let failing = [("a", Class::Caller)];
        assert_eq!(ask(&targets, &failing).await, (vec!["a"], None));
    }

    #[tokio::test]
    async fn last_targets_error_is_told() {
        let targets = Targets::new("a", ["b"]);
        let failing = [("a", Class::Transient), ("b", Class::Transient)];
        assert_eq!(ask(&targets, &failing).await, (vec!["a", "b"], None));
    }
}
