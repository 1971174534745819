use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::policies::Dependency;
use super::*;

/// A breaker, its clock and its dice.
struct World {
    breaker: Arc<Breaker>,
    now_ms: i64,
    rng: StdRng,
}

impl World {
    fn new() -> Self {
        Self {
            breaker: Arc::new(Breaker::new(Dependency::Payments.policy())),
            now_ms: 0,
            rng: StdRng::seed_from_u64(1),
        }
    }

    /// Begins a call as `breakers.rs` does, where this environment wins every election.
    fn begin(&mut self) -> Option<Permit> {
        if self.breaker.advise(self.now_ms) == Advice::Probe {
            self.breaker.elected(self.now_ms, self.now_ms + 10_000);
        }
        self.breaker.admit(self.now_ms)
    }

    fn end(&mut self, permit: Permit, outcome: Outcome) -> Option<Transition> {
        permit.settle(outcome, self.now_ms, &mut self.rng)
    }

    fn run(&mut self, outcome: Outcome) -> Option<Transition> {
        let permit = self.begin().expect("the call must be let through");
        self.end(permit, outcome)
    }

    fn open(&mut self) {
        let failures = Dependency::Payments.policy().failures_max;
        let transitions = (0..failures).filter_map(|_| self.run(Outcome::Ill)).count();
        assert_eq!((transitions, self.state()), (1, BreakerState::Open));
    }

    fn wait_until_it_may_be_tried(&mut self) {
        self.now_ms += i64::from(Dependency::Payments.policy().open_ms);
    }

    fn state(&self) -> BreakerState {
        self.breaker.state().0
    }
}

#[test]
fn failures_in_a_row_open_it_and_probes_in_a_row_close_it() {
    let mut world = World::new();
    for _ in 0..4 {
        world.run(Outcome::Ill);
    }
    world.run(Outcome::Well);
    assert_eq!(world.state(), BreakerState::Closed);
    world.open();
    assert!(world.begin().is_none());
    world.wait_until_it_may_be_tried();
    world.run(Outcome::Well);
    assert_eq!(world.state(), BreakerState::HalfOpen);
    world.run(Outcome::Well);
    let closed = world.run(Outcome::Well).unwrap();
    assert_eq!(
        (closed.from, closed.to),
        (BreakerState::HalfOpen, BreakerState::Closed)
    );
}

#[test]
fn failed_probe_opens_it_again() {
    let mut world = World::new();
    world.open();
    world.wait_until_it_may_be_tried();
    world.run(Outcome::Well);
    assert_eq!(world.run(Outcome::Ill).unwrap().to, BreakerState::Open);
    assert!(world.begin().is_none());
}

#[test]
fn open_time_is_jittered_within_its_policy() {
    let policy = Dependency::Payments.policy();
    let mut rng = StdRng::seed_from_u64(7);
    let spans: Vec<i64> = (0..200).map(|_| open_ms(policy, &mut rng)).collect();
    let whole = i64::from(policy.open_ms);
    assert!(spans.iter().all(|span| (whole / 2..=whole).contains(span)));
    assert!(spans.iter().max().unwrap() - spans.iter().min().unwrap() > whole / 3);
}

#[test]
fn straggler_neither_opens_nor_closes_it() {
    let mut world = World::new();
    let stragglers: Vec<Permit> = (0..10).filter_map(|_| world.begin()).collect();
    world.open();
    world.wait_until_it_may_be_tried();
    world.run(Outcome::Well);
    for (index, straggler) in stragglers.into_iter().enumerate() {
        let outcome = [Outcome::Well, Outcome::Ill][index % 2];
        assert_eq!(world.end(straggler, outcome), None);
        assert_eq!(world.state(), BreakerState::HalfOpen);
    }
}

#[test]
fn cancelled_probe_gives_its_permit_back() {
    let mut world = World::new();
    world.open();
    world.wait_until_it_may_be_tried();
    let probe = world.begin().unwrap();
    assert!(world.begin().is_none());
    drop(probe);
    assert!(world.begin().is_some());
}

#[test]
fn operator_decides_and_gives_it_back() {
    let mut world = World::new();
    let forced = |forced| Shared {
        forced,
        ..Shared::default()
    };
    world.breaker.adopt(forced(Some(Forced::Open)));
    assert!(world.begin().is_none());
    world.breaker.adopt(forced(Some(Forced::Closed)));
    for _ in 0..20 {
        world.run(Outcome::Ill);
    }
    assert_eq!(world.state(), BreakerState::Closed);
    world.breaker.adopt(forced(None));
    world.open();
}

#[test]
fn what_an_operator_closed_is_closed_when_it_is_let_go() {
    let mut world = World::new();
    world.open();
    let closed = Shared {
        forced: Some(Forced::Closed),
        version: 1,
        open_until_ms: None,
    };
    assert_eq!(
        world.breaker.adopt(closed).unwrap().to,
        BreakerState::Closed
    );
    world.breaker.adopt(Shared {
        forced: None,
        ..closed
    });
    world.run(Outcome::Well);
}

#[test]
fn older_news_is_no_news() {
    let mut world = World::new();
    world.breaker.wrote(3);
    let open = |version| Shared {
        open_until_ms: Some(1_000),
        version,
        forced: None,
    };
    assert_eq!(world.breaker.adopt(open(3)), None);
    assert!(world.begin().is_some());
    assert_eq!(world.breaker.adopt(open(4)).unwrap().to, BreakerState::Open);
    assert!(world.begin().is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Begin,
    End(usize, Outcome),
    Cancel(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = || prop_oneof![3 => Just(Outcome::Ill), 1 => Just(Outcome::Well)];
    let step = prop_oneof![
        1 => (0..20_000_i64).prop_map(Step::Wait),
        4 => Just(Step::Begin),
        4 => (0..8_usize, outcome()).prop_map(|(index, outcome)| Step::End(index, outcome)),
        1 => (0..8_usize).prop_map(Step::Cancel),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn whatever_happens_it_is_never_wedged_and_never_probed_twice(steps in steps()) {
        let mut world = World::new();
        let mut permits: Vec<Permit> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(span_ms) => world.now_ms += span_ms,
                Step::Begin => {
                    let until_ms = world.breaker.lock().until_ms;
                    let was_open = world.state() == BreakerState::Open && world.now_ms < until_ms;
                    let permit = world.begin();
                    prop_assert!(!(was_open && permit.is_some()), "called while open");
                    permits.extend(permit);
                    let probes = permits.iter().filter(|permit| permit.probe).count();
                    prop_assert!(probes <= 1, "{probes} probes at once");
                }
                Step::End(index, outcome) if index < permits.len() => {
                    let permit = permits.swap_remove(index);
                    world.end(permit, outcome);
                }
                Step::Cancel(index) if index < permits.len() => drop(permits.swap_remove(index)),
                Step::End(..) | Step::Cancel(_) => {}
            }
        }
        permits.clear();
        world.wait_until_it_may_be_tried();
        for _ in 0..Dependency::Payments.policy().successes_to_close {
            world.run(Outcome::Well);
        }
        prop_assert_eq!(world.state(), BreakerState::Closed);
    }
}
