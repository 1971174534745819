//! Which node writes: a choice from what the nodes say, and what is remembered of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock;
use crate::resilience::policies::{NODE_AVOIDED_FOR, NODE_ROLES_TTL};
use crate::store::migrations;

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Role {
    /// Whether it accepts writes.
    pub writable: bool,
    /// Its timeline; the higher one is the one that was promoted later. 0 for a standby.
    pub timeline: i32,
    /// The newest migration that was applied to it.
    pub schema: i64,
}

/// The writer's schema is older than this release needs: nothing is written to it. A newer one is
/// fine, because migrations only add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("migrations are pending: the schema is at {applied}, this release needs {needed}")]
pub struct PendingMigrations {
    /// The newest migration that was applied.
    pub applied: i64,
    /// The newest one that this release was built with.
    pub needed: i64,
}

impl Role {
    /// Whether its schema is new enough for this release to write to it.
    ///
    /// # Errors
    /// It is not: what it has, and what is needed.
    pub fn check_schema(self) -> Result<(), PendingMigrations> {
        let (applied, needed) = (self.schema, migrations::built_for());
        if applied >= needed {
            return Ok(());
        }
        Err(PendingMigrations { applied, needed })
    }
}

/// Which of the nodes that answered is the writer: of those that accept writes the
/// one on the highest timeline, the one configured first among equals. None below
/// `seen`: that is an old primary, and what it takes is lost.
pub(super) fn choose(answers: &[Option<Role>], seen: i32) -> Option<usize> {
    let writers = answers.iter().enumerate().filter_map(|(node, answer)| {
        let role = answer.filter(|role| role.writable && role.timeline >= seen)?;
        Some((role.timeline, usize::MAX - node))
    });
    writers.max().map(|(_, node)| usize::MAX - node)
}

/// Whom a read asks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preference {
    /// A replica, to spare the writer.
    Replicas,
    /// The writer, which knows the reader's own writes.
    Writer,
}

impl Preference {
    /// How long the nodes' roles are taken for granted. Who reads from replicas
    /// only wants to know which of them hang.
    pub(super) fn roles_ttl(self) -> Duration {
        match self {
            Self::Replicas => NODE_AVOIDED_FOR,
            Self::Writer => NODE_ROLES_TTL,
        }
    }
}

/// What this environment knows of the nodes. By wall clock, because a frozen
/// environment's monotonic one stands still.
#[derive(Debug)]
pub(super) struct Topology {
    known: Mutex<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    writer: Option<usize>,
    /// Whether the writer may be written to.
    migrated: Result<(), PendingMigrations>,
    /// Never goes down.
    timeline: i32,
    /// Which nodes accept writes and must not get any.
    outdated: Vec<bool>,
    asked_at: OffsetDateTime,
}

impl Topology {
    /// Nothing is known of the nodes.
    pub(super) fn unknown() -> Self {
        Self {
            known: Mutex::new(Known {
                writer: None,
                migrated: Ok(()),
                timeline: 0,
                outdated: Vec::new(),
                asked_at: OffsetDateTime::UNIX_EPOCH,
            }),
        }
    }

    /// The writer, while that can be taken for granted.
    pub(super) fn writer(&self) -> Option<usize> {
        self.lock().writer
    }

    /// Whether the writer has every migration that this release needs. Found out with its role, so
    /// it is as old as that, and noticed as soon.
    ///
    /// # Errors
    /// It has not.
    pub(super) fn check_schema(&self) -> Result<(), PendingMigrations> {
        self.lock().migrated
    }

    /// The highest timeline that was seen on a node that accepts writes.
    pub(super) fn timeline(&self) -> i32 {
        self.lock().timeline
    }

    /// Whether the nodes were asked so long ago that they are to be asked again.
    pub(super) fn is_older_than(&self, ttl: Duration) -> bool {
        let age = Duration::try_from(clock::now() - self.lock().asked_at);
        // A negative age is a clock that was set back.
        age.map_or(true, |age| age >= ttl)
    }

    /// Makes the next reader or writer ask the nodes.
    pub(super) fn forget(&self) {
        let mut known = self.lock();
        known.writer = None;
        known.asked_at = OffsetDateTime::UNIX_EPOCH;
    }

    /// Takes note of what the nodes said; the writer among them.
    pub(super) fn learn(&self, answers: &[Option<Role>]) -> Option<usize> {
        let mut known = self.lock();
        let writer = choose(answers, known.timeline);
        let role = writer.and_then(|node| answers[node]);
        if let Some(role) = role.filter(|role| role.timeline > known.timeline) {
            tracing::info!(node = writer, timeline = role.timeline, "a new timeline");
            known.timeline = role.timeline;
        }
        let accepts = |answer: &Option<Role>| answer.is_some_and(|role| role.writable);
        known.outdated = (0..answers.len())
            .map(|node| accepts(&answers[node]) && Some(node) != writer)
            .collect();
        let migrated = role.map_or(Ok(()), Role::check_schema);
        if let Err(pending) = migrated
            && known.migrated.is_ok()
        {
            tracing::error!(error = %pending, "writes are refused");
        }
        known.migrated = migrated;
        known.writer = writer;
        known.asked_at = clock::now();
        writer
    }

    /// The nodes in the order in which a read tries them: those that hung last,
    /// and before them any that was promoted over.
    pub(super) fn order(&self, preference: Preference, away: &[bool]) -> Vec<usize> {
        let known = self.lock().clone();
        let mut nodes: Vec<usize> = (0..away.len()).collect();
        nodes.sort_by_key(|&node| {
            let outdated = known.outdated.get(node).is_some_and(|outdated| *outdated);
            let is_writer = known.writer == Some(node);
            let second = is_writer == (preference == Preference::Replicas);
            (away[node], outdated, second)
        });
        nodes
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn writes(timeline: i32) -> Option<Role> {
        Some(Role {
            writable: true,
            timeline,
            schema: i64::MAX,
        })
    }

    const STANDBY: Option<Role> = Some(Role {
        writable: false,
        timeline: 0,
        schema: 0,
    });

    #[test]
    fn writer_is_the_one_that_was_promoted_last() {
        for (answers, seen, writer) in [
            ([writes(1), STANDBY, STANDBY], 0, Some(0)),
            ([STANDBY, None, writes(4)], 4, Some(2)),
            ([writes(1), writes(2), STANDBY], 0, Some(1)),
            ([writes(3), writes(2), None], 3, Some(0)),
            // Only the old primary answers, and it is known to be old.
            ([writes(1), None, STANDBY], 2, None),
            ([None, None, None], 0, None),
            ([STANDBY, STANDBY, STANDBY], 0, None),
            ([None, writes(2), writes(2)], 1, Some(1)),
        ] {
            assert_eq!(choose(&answers, seen), writer, "{answers:?} after {seen}");
        }
    }

    #[test]
    fn environment_never_goes_back_to_a_lower_timeline() {
        let topology = Topology::unknown();
        assert_eq!(topology.learn(&[writes(1), STANDBY]), Some(0));
        assert_eq!(topology.learn(&[None, writes(2)]), Some(1));
        assert_eq!(topology.learn(&[writes(1), None]), None);
        assert_eq!((topology.writer(), topology.timeline()), (None, 2));
        assert_eq!(topology.learn(&[writes(1), writes(2)]), Some(1));
    }

    #[test]
    fn own_reads_try_the_writer_first_and_others_last() {
        let topology = Topology::unknown();
        topology.learn(&[STANDBY, writes(2), STANDBY]);
        let order = |preference, away: [bool; 3]| topology.order(preference, &away);
        let none = [false; 3];
        assert_eq!(order(Preference::Writer, none), [1, 0, 2]);
        assert_eq!(order(Preference::Replicas, none), [0, 2, 1]);
        let first = [true, false, false];
        assert_eq!(order(Preference::Replicas, first), [2, 1, 0]);
    }

    #[test]
    fn node_that_was_promoted_over_is_read_from_only_when_no_standby_answers() {
        let topology = Topology::unknown();
        topology.learn(&[writes(1), writes(2), STANDBY]);
        assert_eq!(topology.order(Preference::Replicas, &[false; 3]), [2, 1, 0]);
        assert_eq!(
            topology.order(Preference::Replicas, &[false, true, true]),
            [0, 2, 1]
        );
    }

    #[test]
    fn roles_are_asked_for_again_after_a_while_and_when_forgotten() {
        let topology = Topology::unknown();
        let is_old = || topology.is_older_than(NODE_ROLES_TTL);
        assert!(is_old());
        topology.learn(&[writes(1)]);
        assert!(!is_old());
        topology.forget();
        assert!(is_old() && topology.writer().is_none());
        assert_eq!(topology.timeline(), 1);
    }

    #[test]
    fn old_schema_is_known_until_the_writer_has_another_and_a_newer_one_is_fine() {
        let needed = migrations::built_for();
        let at = |schema| {
            let role = writes(1)?;
            Some(Role { schema, ..role })
        };
        let topology = Topology::unknown();
        assert_eq!(topology.check_schema(), Ok(()));
        let applied = needed - 1;
        // It is found all the same: reads go there.
        assert_eq!(topology.learn(&[STANDBY, at(applied)]), Some(1));
        let pending = topology.check_schema().unwrap_err();
        assert_eq!(pending, PendingMigrations { applied, needed });
        for schema in [needed, needed + 1] {
            topology.learn(&[STANDBY, at(schema)]);
            assert_eq!(topology.check_schema(), Ok(()));
        }
    }

    fn any_answer() -> impl Strategy<Value = Option<Role>> {
        prop_oneof![Just(None), Just(STANDBY), (1_i32..9).prop_map(writes),]
    }

    proptest! {
        #[test]
        fn no_other_writer_is_on_a_higher_timeline(
            answers in proptest::collection::vec(any_answer(), 0..5), seen in 0_i32..9,
        ) {
            let highest = answers.iter().flatten().filter(|role| role.writable).map(|role| role.timeline).max();
            let chosen = choose(&answers, seen).and_then(|node| answers[node]);
            prop_assert_eq!(chosen.map(|role| role.timeline), highest.filter(|highest| *highest >= seen));
            prop_assert!(chosen.is_none_or(|role| role.writable));
        }

        #[test]
        fn timeline_of_the_writer_never_goes_down(
            rounds in proptest::collection::vec(proptest::collection::vec(any_answer(), 3), 0..12),
        ) {
            let topology = Topology::unknown();
            let mut last = 0;
            for answers in rounds {
                if let Some(role) = topology.learn(&answers).and_then(|node| answers[node]) {
                    prop_assert!(role.timeline >= last);
                    last = role.timeline;
                }
            }
        }
    }
}
