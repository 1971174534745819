//! Every row of the table against every way to fail, in paused time and with fixed dice: what a
//! call costs while its dependency is gone, what the dependency is spared, and how soon it is used
//! again.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::policies::{self, POLICIES, Policy, RETRY_WINDOW, SLOW_PERCENT};
use super::{CallError, Class, Classify, call};

/// Between two calls of one environment.
const PAUSE: Duration = Duration::from_millis(100);
const CALLS: u32 = 300;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Refuses,
    Hangs,
    /// Answers well, and hardly in time.
    Slow,
    /// Fails so many of a hundred times.
    Fails(u32),
    /// Asks to be left alone for so long.
    Throttles(Duration),
}

const FAULTS: [Fault; 6] = [
    Fault::Refuses,
    Fault::Hangs,
    Fault::Slow,
    Fault::Fails(50),
    Fault::Fails(100),
    Fault::Throttles(Duration::from_secs(1)),
];

#[derive(Debug, thiserror::Error)]
#[error("it broke")]
struct Broken(Option<Duration>);

impl Classify for Broken {
    fn class(&self) -> Class {
        Class::Transient
    }

    fn retry_after(&self) -> Option<Duration> {
        self.0
    }
}

/// One attempt at a dependency that is well or not.
async fn attempt(row: &Policy, fault: Option<Fault>, dice: u32) -> Result<(), Broken> {
    let timeout = Duration::from_millis(row.attempt_timeout_ms.into());
    match fault {
        None => Ok(()),
        Some(Fault::Refuses) => Err(Broken(None)),
        Some(Fault::Hangs) => std::future::pending().await,
        Some(Fault::Slow) => {
            tokio::time::sleep(timeout * SLOW_PERCENT / 100).await;
            Ok(())
        }
        Some(Fault::Fails(percent)) if dice < percent => Err(Broken(None)),
        Some(Fault::Fails(_)) => Ok(()),
        Some(Fault::Throttles(pause)) => Err(Broken(Some(pause))),
    }
}

/// An environment that makes the same call again and again.
struct Environment {
    row: &'static Policy,
    dice: SmallRng,
    attempts: u32,
}

impl Environment {
    /// One call: whether it succeeded, and how long it took.
    async fn call(&mut self, fault: Option<Fault>) -> (bool, Duration) {
        let began = Instant::now();
        let result: Result<(), CallError<Broken>> = call(self.row.intent, || {
            self.attempts += 1;
            attempt(self.row, fault, self.dice.random_range(0..100))
        })
        .await;
        let took = began.elapsed();
        tokio::time::sleep(PAUSE).await;
        (result.is_ok(), took)
    }

    async fn suffers(&mut self, fault: Fault) {
        let context = format!("{:?}, {fault:?}", self.row.intent);
        for _ in 0..20 {
            assert!(self.call(None).await.0, "{context}: it is well");
        }
        let (began, before) = (Instant::now(), self.attempts);
        let longest = self.worst_case(fault);
        for _ in 0..CALLS {
            let (_, took) = self.call(Some(fault)).await;
            assert!(took <= longest, "{context}: a call took {took:?}");
        }
        self.spared(self.attempts - before, began.elapsed(), &context);
        self.recovers(&context).await;
    }

    /// The table's own figure; who is asked to wait waits as long instead of the usual pause.
    fn worst_case(&self, fault: Fault) -> Duration {
        let worst = Duration::from_millis(policies::worst_case_ms(self.row.intent).into());
        match fault {
            Fault::Throttles(pause) => worst + pause * (self.row.attempts_max - 1),
            _ => worst,
        }
    }

    /// Retries are a fifth of the calls at most, or the few that are always allowed.
    fn spared(&self, attempts: u32, lasted: Duration, context: &str) {
        let policy = self.row.dependency.policy();
        let windows = (lasted.as_millis() / RETRY_WINDOW.as_millis()) as u32 + 2;
        let retries = CALLS * policy.retries_percent / 100 + windows * policy.retries_min;
        assert!(
            attempts <= CALLS + retries,
            "{context}: {attempts} attempts"
        );
    }

    /// It is used again as soon as its breaker may let somebody find out, and then for good.
    async fn recovers(&mut self, context: &str) {
        let open = Duration::from_millis(self.row.dependency.policy().open_ms.into());
        let began = Instant::now();
        while !self.call(None).await.0 {
            assert!(
                began.elapsed() <= open + PAUSE,
                "{context}: it is back and not used"
            );
        }
        for _ in 0..20 {
            assert!(self.call(None).await.0, "{context}: it is back");
        }
    }
}

/// A thread of its own has breakers of its own, as an environment has.
fn in_an_environment(row: &'static Policy, fault: Fault, seed: u64) {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let dice = SmallRng::seed_from_u64(seed);
        let mut environment = Environment {
            row,
            dice,
            attempts: 0,
        };
        runtime.block_on(environment.suffers(fault));
    };
    std::thread::scope(|scope| {
        if let Err(panic) = scope.spawn(work).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn every_call_ends_in_time_spares_its_dependency_and_finds_it_again() {
    for row in &POLICIES {
        for fault in FAULTS {
            for seed in 0..3 {
                in_an_environment(row, fault, seed);
            }
        }
    }
}
