use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::FutureExt;

use super::*;

const IT: Dependency = Dependency::Payments;

/// A breaker's state, and which prober holds its lease until when.
type Row = (Shared, Option<(u32, i64)>);

/// What the environments share, or would if it were not away.
#[derive(Default)]
struct Table {
    rows: Mutex<BTreeMap<Dependency, Row>>,
    is_away: Mutex<bool>,
    writes: Mutex<u32>,
}

/// One environment's way to the table.
struct Way {
    table: Arc<Table>,
    me: u32,
    now_ms: Arc<Mutex<i64>>,
}

impl SharedState for Way {
    fn refresh(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn known(&self, dependency: Dependency) -> Option<Shared> {
        let here = !*self.table.is_away.lock().unwrap();
        here.then(|| {
            self.table
                .rows
                .lock()
                .unwrap()
                .get(&dependency)
                .map(|row| row.0)
        })?
    }

    fn elect(&self, dependency: Dependency, until_ms: i64) -> BoxFuture<'_, Election> {
        async move {
            if *self.table.is_away.lock().unwrap() {
                return Election::Won;
            }
            let now_ms = *self.now_ms.lock().unwrap();
            let mut rows = self.table.rows.lock().unwrap();
            let (_, prober) = rows.entry(dependency).or_default();
            match *prober {
                Some((who, until_ms)) if who != self.me && now_ms < until_ms => Election::Lost,
                _ => {
                    *prober = Some((self.me, until_ms));
                    Election::Won
                }
            }
        }
        .boxed()
    }

    fn publish(
        &self,
        dependency: Dependency,
        version: u64,
        open_until_ms: Option<i64>,
    ) -> BoxFuture<'_, Option<u64>> {
        async move {
            if *self.table.is_away.lock().unwrap() {
                return None;
            }
            *self.table.writes.lock().unwrap() += 1;
            let mut rows = self.table.rows.lock().unwrap();
            let (shared, prober) = rows.entry(dependency).or_default();
            if shared.version != version {
                return None;
            }
            *prober = None;
            *shared = Shared {
                open_until_ms,
                version: version + 1,
                ..*shared
            };
            Some(shared.version)
        }
        .boxed()
    }
}

struct World {
    table: Arc<Table>,
    environments: Vec<Breakers>,
    now_ms: Arc<Mutex<i64>>,
}

impl World {
    fn of(count: u32) -> Self {
        let (table, now_ms) = (Arc::<Table>::default(), Arc::new(Mutex::new(0)));
        let environment = |me| {
            let breakers = Breakers::default();
            let way = Way {
                table: Arc::clone(&table),
                me,
                now_ms: Arc::clone(&now_ms),
            };
            let _ = breakers.shared.set(Arc::new(way));
            breakers
        };
        let environments = (0..count).map(environment).collect();
        Self {
            table,
            environments,
            now_ms,
        }
    }

    fn now_ms(&self) -> i64 {
        *self.now_ms.lock().unwrap()
    }

    fn wait(&self, span_ms: i64) {
        *self.now_ms.lock().unwrap() += span_ms;
    }

    async fn begin(&self, environment: usize) -> Option<Permit> {
        self.environments[environment]
            .admit(IT, self.now_ms())
            .await
    }

    /// Whether the call was let through.
    async fn run(&self, environment: usize, outcome: Outcome) -> bool {
        let Some(permit) = self.begin(environment).await else {
            return false;
        };
        let breakers = &self.environments[environment];
        breakers.settle(IT, permit, outcome, self.now_ms()).await;
        true
    }

    async fn open(&self, environment: usize) {
        for _ in 0..IT.policy().failures_max {
            assert!(self.run(environment, Outcome::Ill).await);
        }
        assert!(!self.run(environment, Outcome::Ill).await);
    }
}

#[tokio::test]
async fn what_one_environment_found_out_opens_the_others() {
    let world = World::of(2);
    world.open(0).await;
    assert!(!world.run(1, Outcome::Well).await);
    assert_eq!(
        *world.table.writes.lock().unwrap(),
        1,
        "written on the transition alone"
    );
}

#[tokio::test]
async fn one_elected_environment_probes_and_closes_it_for_all() {
    let world = World::of(3);
    world.open(0).await;
    world.wait(IT.policy().open_ms.into());
    let mut elected = Vec::new();
    for environment in 0..3 {
        let permit = world.begin(environment).await;
        elected.extend(permit.map(|permit| (environment, permit)));
    }
    assert_eq!(elected.len(), 1);
    let (prober, permit) = elected.remove(0);
    drop(permit);
    for _ in 0..IT.policy().successes_to_close {
        assert!(world.run(prober, Outcome::Well).await);
    }
    for environment in 0..3 {
        assert!(world.run(environment, Outcome::Well).await);
    }
}

#[tokio::test]
async fn prober_that_vanished_is_followed_by_another() {
    let world = World::of(2);
    world.open(0).await;
    world.wait(IT.policy().open_ms.into());
    drop(world.begin(0).await.unwrap());
    assert!(world.begin(1).await.is_none());
    world.wait(milliseconds(PROBE_LEASE));
    assert!(world.begin(1).await.is_some());
    assert!(world.begin(0).await.is_none());
}

#[tokio::test]
async fn without_the_table_each_environment_finds_out_by_itself() {
    let world = World::of(2);
    *world.table.is_away.lock().unwrap() = true;
    world.open(0).await;
    assert!(world.run(1, Outcome::Well).await);
    world.wait(IT.policy().open_ms.into());
    for _ in 0..IT.policy().successes_to_close {
        assert!(world.run(0, Outcome::Well).await);
    }
    assert_eq!(
        world.environments[0].guard(IT).0.state().0,
        BreakerState::Closed
    );
}

#[tokio::test]
async fn table_that_comes_back_wedges_nothing() {
    let world = World::of(2);
    *world.table.is_away.lock().unwrap() = true;
    world.open(0).await;
    // The table has never heard of it.
    *world.table.is_away.lock().unwrap() = false;
    world.wait(IT.policy().open_ms.into());
    for _ in 0..IT.policy().successes_to_close {
        assert!(world.run(0, Outcome::Well).await);
    }
    assert!(world.run(0, Outcome::Well).await && world.run(1, Outcome::Well).await);
}

#[tokio::test]
async fn operators_word_reaches_every_environment_and_every_dependency() {
    let world = World::of(2);
    let forced = Shared {
        forced: Some(Forced::Open),
        ..Shared::default()
    };
    for dependency in [IT, Dependency::Objects] {
        world
            .table
            .rows
            .lock()
            .unwrap()
            .insert(dependency, (forced, None));
        for breakers in &world.environments {
            assert!(breakers.admit(dependency, 0).await.is_none());
        }
    }
    world.table.rows.lock().unwrap().clear();
    world
        .table
        .rows
        .lock()
        .unwrap()
        .insert(IT, Default::default());
    assert!(world.run(1, Outcome::Well).await);
}
