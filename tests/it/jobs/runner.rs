//! Jobs under their leases: one run at a time, whatever becomes of it.

use std::cell::Cell;

use lambda_runtime::Error;
use serde_json::{Value, json};
use shared::domain::jobs::{Job, Outcome};
use shared::events::{Jobs, Work};
use shared::state::{AppState, DlqReplayer, Sweeper};
use shared::store::jobs;
use tests::TestDatabase;
use tokio::sync::Notify;

use crate::offline::{self, NOWHERE};

async fn fails() -> Result<usize, Error> {
    Err("no mail to ada@shop.example".into())
}

async fn panics() -> Result<usize, Error> {
    panic!("a defect")
}

async fn works() -> Result<usize, Error> {
    Ok(2)
}

/// What became of each run of a job, the last one first, and why.
async fn told(database: &TestDatabase, job: Job) -> Vec<(Outcome, Option<String>)> {
    let runs = jobs::runs(database.pool(), job, 100).await.unwrap();
    runs.into_iter()
        .map(|run| (run.outcome, run.error))
        .collect()
}

#[tokio::test]
async fn job_that_fails_or_panics_keeps_no_other_from_running() {
    let database = TestDatabase::create().await;
    let state: AppState<DlqReplayer> = tests::state_on(&database).await;
    let mut visit = Jobs::begin(&state);
    visit.run(Job::Payments, fails()).await;
    visit.run(Job::Refunds, panics()).await;
    visit.run(Job::Outbox, works()).await;
    let failed = visit.end().unwrap_err().to_string();
    assert_eq!(failed, "failed: payments, refunds");
    let failed = |error: &str| vec![(Outcome::Failed, Some(error.to_owned()))];
    assert_eq!(
        told(&database, Job::Payments).await,
        failed("no mail to ***")
    );
    assert_eq!(told(&database, Job::Refunds).await, failed("it panicked"));
    let done = vec![(Outcome::Done, None)];
    assert_eq!(told(&database, Job::Outbox).await, done);
    // None of them keeps the next visit away.
    let mut visit = Jobs::begin(&state);
    visit.run(Job::Payments, works()).await;
    visit.run(Job::Refunds, works()).await;
    let none = async { Ok::<_, Error>(None::<usize>) };
    visit.run(Job::Reconciliation, none).await;
    let done = json!({"payments": 2, "refunds": 2, "reconciliation": null});
    assert_eq!(visit.end().unwrap(), done);
    assert_eq!(
        told(&database, Job::Reconciliation).await,
        [(Outcome::NotDue, None)]
    );
}

#[tokio::test]
async fn job_that_left_what_it_could_not_do_is_done_and_the_visit_fails() {
    let database = TestDatabase::create().await;
    let state: AppState<DlqReplayer> = tests::state_on(&database).await;
    let mut visit = Jobs::begin(&state);
    let all_but_one = async { Ok::<_, Error>(Work::of_list(2, 1)) };
    visit.run(Job::Refunds, all_but_one).await;
    visit.run(Job::Outbox, works()).await;
    let failed = visit.end().unwrap_err().to_string();
    assert_eq!(failed, "failed: refunds");
    let runs = jobs::runs(database.pool(), Job::Refunds, 100)
        .await
        .unwrap();
    assert_eq!(
        (runs.len(), runs[0].outcome, runs[0].count),
        (1, Outcome::Done, Some(2))
    );
}

#[tokio::test]
async fn job_that_another_run_is_at_is_left_out() {
    let database = TestDatabase::create().await;
    let state: AppState<DlqReplayer> = tests::state_on(&database).await;
    let (began, may_end, times) = (Notify::new(), Notify::new(), Cell::new(0));
    let first = async {
        let mut visit = Jobs::begin(&state);
        let work = async {
            times.set(times.get() + 1);
            began.notify_one();
            may_end.notified().await;
            works().await
        };
        visit.run(Job::Outbox, work).await;
        visit.end().unwrap()
    };
    let second = async {
        began.notified().await;
        let mut visit = Jobs::begin(&state);
        let work = async {
            times.set(times.get() + 1);
            works().await
        };
        visit.run(Job::Outbox, work).await;
        // Another job is nobody's yet.
        visit.run(Job::Trending, works()).await;
        may_end.notify_one();
        visit.end().unwrap()
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first, json!({"outbox": 2}));
    assert_eq!(second["outbox"], "another run has its lease");
    assert_eq!((&second["trending"], times.get()), (&json!(2), 1));
    let once = vec![(Outcome::Done, None)];
    assert_eq!(told(&database, Job::Outbox).await, once);
}

#[tokio::test]
async fn run_that_is_killed_is_taken_over_when_its_lease_ends() {
    let database = TestDatabase::create().await;
    let state: AppState<DlqReplayer> = tests::state_on(&database).await;
    let began = Notify::new();
    let mut visit = Jobs::begin(&state);
    let endless = async {
        began.notify_one();
        std::future::pending::<Result<usize, Error>>().await
    };
    tokio::select! {
        () = visit.run(Job::Outbox, endless) => panic!("it came to an end"),
        () = began.notified() => {}
    }
    let run = async || {
        let mut visit = Jobs::begin(&state);
        visit.run(Job::Outbox, works()).await;
        visit.end().unwrap()["outbox"].clone()
    };
    assert_eq!(run().await, "another run has its lease");
    sqlx::query(
        "update jobs set leased_until = now() - interval '1 second' where run_id is not null",
    )
    .execute(database.pool())
    .await
    .unwrap();
    assert_eq!(run().await, 2);
    assert_eq!(
        told(&database, Job::Outbox).await,
        [(Outcome::Done, None), (Outcome::Lost, None)]
    );
}

#[tokio::test]
async fn without_a_database_each_job_is_tried_and_none_is_run() {
    let state: AppState<DlqReplayer> = offline::state(NOWHERE, &[]);
    let times = Cell::new(0);
    let mut visit = Jobs::begin(&state);
    for job in [Job::Intents, Job::Outbox] {
        let work = async {
            times.set(times.get() + 1);
            works().await
        };
        visit.run(job, work).await;
    }
    let failed = visit.end().unwrap_err().to_string();
    assert_eq!(
        (failed.as_str(), times.get()),
        ("failed: intents, outbox", 0)
    );
}

#[tokio::test]
async fn two_sweepers_at_once_are_never_at_one_job_together() {
    let database = TestDatabase::create().await;
    let state: AppState<Sweeper> = tests::state_on(&database).await;
    let runs = (0..2).map(|_| sweeper::run(state.clone()));
    let visits: Vec<Result<Value, Error>> = futures::future::join_all(runs).await;
    let together: i64 = sqlx::query_scalar(
        "select count(*) from job_runs one join job_runs other on other.job = one.job and other.id > one.id
         where tstzrange(one.started_at, one.finished_at) && tstzrange(other.started_at, other.finished_at)",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(together, 0, "{visits:?}");
    for job in Job::ALL
        .into_iter()
        .filter(|job| job.function() == "sweeper")
    {
        let runs = told(&database, job).await;
        assert!((1..=2).contains(&runs.len()), "{job:?}: {runs:?}");
        let ended = |run: &(Outcome, _)| ![Outcome::Running, Outcome::Lost].contains(&run.0);
        assert!(runs.iter().all(ended), "{job:?}: {runs:?}");
    }
}
