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

/// Calls that fail until the breaker is open.
async fn open(intent: Intent) {
    let failures = policies::policy(intent).dependency.policy().failures_max;
    for _ in 0..failures {
        let _ = call(intent, || async { Err::<(), _>(Broken(Class::Transient)) }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn open_breaker_refuses_at_once_and_says_that_nothing_was_done() {
    open(Intent::PaymentWrite).await;
    let started = Instant::now();
    // Writing and asking are one target: what one found out counts for the other.
    let result: Result<(), CallError<Broken>> = call(Intent::PaymentRead, || async {
        panic!("must not be called")
    })
    .await;
    assert!(matches!(result, Err(CallError::NotStarted { .. })));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn probe_asks_whatever_the_breaker_says() {
    open(Intent::PaymentWrite).await;
    let asked = probe(Intent::PaymentRead, || async { Ok::<_, Broken>(1) }).await;
    assert_eq!(asked.ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn callers_fault_opens_nothing() {
    for _ in 0..20 {
        let refused: Result<(), _> = call(Intent::PaymentWrite, || async {
            Err(Broken(Class::Caller))
        })
        .await;
        assert!(matches!(refused, Err(CallError::Failed { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_open_it_too() {
    let row = policies::policy(Intent::PaymentWrite);
    let slow = percent(attempt_timeout(row), SLOW_PERCENT);
    for _ in 0..row.dependency.policy().failures_max {
        let answer = call(Intent::PaymentWrite, || async {
            tokio::time::sleep(slow).await;
            Ok::<_, Broken>(())
        });
        assert!(answer.await.is_ok());
    }
    let next = call(Intent::PaymentWrite, || async { Ok::<_, Broken>(()) }).await;
    assert!(matches!(next, Err(CallError::NotStarted { .. })));
}

#[tokio::test(start_paused = true)]
async fn breaker_that_opens_between_attempts_leaves_the_first_ones_error() {
    // Four failures, so that the next one opens it before its retry.
    for _ in 0..4 {
        let _ = call(Intent::PaymentWrite, || async {
            Err::<(), _>(Broken(Class::Transient))
        })
        .await;
    }
    let tries = Cell::new(0);
    let result: Result<(), _> = call(Intent::PaymentRead, || {
        tries.set(tries.get() + 1);
        async { Err(Broken(Class::Transient)) }
    })
    .await;
    assert!(
        matches!(result, Err(CallError::Failed { .. })),
        "its outcome is not known"
    );
    assert_eq!(tries.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelled_calls_count_for_nothing() {
    for _ in 0..20 {
        let hanging = call(
            Intent::PaymentWrite,
            std::future::pending::<Result<(), Broken>>,
        );
        assert!(
            tokio::time::timeout(Duration::from_millis(1), hanging)
                .await
                .is_err()
        );
    }
    let answer = call(Intent::PaymentWrite, || async { Ok::<_, Broken>(1) }).await;
    assert_eq!(answer.ok(), Some(1));
}

/// Calls under a deadline that is `left` away; how often it was tried, and the result.
async fn within(left: Duration, intent: Intent) -> (u32, Result<(), CallError<Broken>>) {
    let context = context::Context {
        request_id: String::new(),
        deadline: context::Deadline::after(left),
    };
    let tries = Cell::new(0);
    let work = call(intent, || {
        tries.set(tries.get() + 1);
        async { Err(Broken(Class::Transient)) }
    });
    let result = context::scope(context, work).await;
    (tries.get(), result)
}

#[tokio::test(start_paused = true)]
async fn what_could_not_finish_is_not_started() {
    let row = policies::policy(Intent::PaymentRead);
    let hardly = percent(attempt_timeout(row), WORTH_STARTING_PERCENT) / 2;
    let (tries, result) = within(hardly, Intent::PaymentRead).await;
    assert!(matches!(
        (tries, result),
        (0, Err(CallError::NotStarted { .. }))
    ));
    // Enough for an attempt, and after it for no other, however short the pause.
    let one = attempt_timeout(row) - Duration::from_millis(1);
    let (tries, result) = within(one, Intent::PaymentRead).await;
    assert!(matches!(
        (tries, result),
        (1, Err(CallError::Failed { .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn retries_never_amplify_load_by_more_than_a_fifth() {
    let tries = Cell::new(0_u32);
    for round in 0..600 {
        let _ = call(Intent::PaymentRead, || {
            tries.set(tries.get() + 1);
            // Well every fourth time, so that the breaker stays out of it.
            let class = [Class::Transient, Class::Caller][usize::from(round % 2 == 0)];
            async move { Err::<(), _>(Broken(class)) }
        })
        .await;
    }
    assert!(tries.get() > 600 && tries.get() <= 720, "{}", tries.get());
}

#[derive(Debug, thiserror::Error)]
#[error("not now")]
struct Busy(Duration);

impl Classify for Busy {
    fn class(&self) -> Class {
        Class::Transient
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_or_there_is_no_retry() {
    let asked = Duration::from_secs(4);
    let started = Instant::now();
    let tries = Cell::new(0);
    let busy = |pause| {
        tries.set(tries.get() + 1);
        async move { Err::<(), _>(Busy(pause)) }
    };
    let _ = call(Intent::PaymentRead, || busy(asked)).await;
    assert_eq!((started.elapsed(), tries.replace(0)), (asked, 2));
    // Longer than the deadline allows.
    let _ = call(Intent::PaymentRead, || busy(Duration::from_secs(3_600))).await;
    assert_eq!(tries.get(), 1);
}

/// What it costs where nothing goes wrong; with `--nocapture` it says how much.
#[tokio::test]
async fn call_around_a_ready_future_costs_next_to_nothing() {
    const CALLS: u32 = 20_000;
    let began = std::time::Instant::now();
    for _ in 0..CALLS {
        let answer = call(Intent::DynamoRead, || async { Ok::<_, Broken>(1) }).await;
        assert_eq!(answer.ok(), Some(1));
    }
    let each = began.elapsed() / CALLS;
    println!("one call: {each:?}");
    assert!(each < Duration::from_micros(200), "{each:?}");
}
