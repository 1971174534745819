//! Leases and runs, with the sweeper's own rights.

use shared::domain::jobs::{Job, Outcome};
use shared::store::jobs::{self, Ended, Lease, Standing};
use sqlx::PgConnection;
use tests::TestDatabase;
use time::OffsetDateTime;

const JOB: Job = Job::Outbox;

async fn take(connection: &mut PgConnection) -> Option<Lease> {
    jobs::take_lease(connection, JOB).await.unwrap()
}

async fn finish(connection: &mut PgConnection, lease: Lease, ended: Ended) -> bool {
    jobs::finish(connection, lease, &ended).await.unwrap()
}

async fn standing(database: &TestDatabase) -> Standing {
    let mut all = jobs::all(database.pool()).await.unwrap();
    all.retain(|one| one.name == JOB.name());
    all.pop().unwrap()
}

/// What became of each run, the last one first.
async fn outcomes(database: &TestDatabase) -> Vec<Outcome> {
    let runs = jobs::runs(database.pool(), JOB, 100).await.unwrap();
    runs.iter().map(|run| run.outcome).collect()
}

async fn execute(database: &TestDatabase, statement: &str) {
    sqlx::query(statement)
        .execute(database.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn of_many_at_once_exactly_one_gets_the_lease() {
    let database = TestDatabase::create().await;
    let mut connections = Vec::new();
    for role in ["sweeper", "dlq_replayer"].into_iter().cycle().take(8) {
        connections.push(database.connect_as(role).await);
    }
    let takes = connections.iter_mut().map(take);
    let leases = futures::future::join_all(takes).await;
    assert_eq!(leases.iter().flatten().count(), 1, "{leases:?}");
    assert_eq!(outcomes(&database).await, [Outcome::Running]);
    let lease = leases.into_iter().flatten().next().unwrap();
    assert!(finish(&mut connections[0], lease, Ended::Done(0)).await);
    assert!(take(&mut connections[1]).await.is_some());
}

#[tokio::test]
async fn run_is_recorded_with_what_became_of_it_and_only_a_success_counts_as_one() {
    let database = TestDatabase::create().await;
    let mut sweeper = database.connect_as("sweeper").await;
    let before = standing(&database).await.last_succeeded_at;
    for ended in [Ended::Failed("it broke".to_owned()), Ended::NotDue] {
        let lease = take(&mut sweeper).await.unwrap();
        assert!(finish(&mut sweeper, lease, ended.clone()).await);
        let now = standing(&database).await;
        assert_eq!(now.last_outcome, Some(ended.outcome()));
        assert_eq!((now.last_succeeded_at, now.leased_until), (before, None));
    }
    let lease = take(&mut sweeper).await.unwrap();
    assert!(standing(&database).await.leased_until > Some(OffsetDateTime::now_utc()));
    assert!(finish(&mut sweeper, lease, Ended::Done(3)).await);
    let now = standing(&database).await;
    assert!(now.last_succeeded_at > before);
    assert!(now.last_started_at.is_some() && now.leased_until.is_none());
    let runs = jobs::runs(database.pool(), JOB, 100).await.unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.outcome, run.count, run.error.as_deref()))
        .collect();
    let expected = [
        (Outcome::Done, Some(3), None),
        (Outcome::NotDue, None, None),
        (Outcome::Failed, None, Some("it broke")),
    ];
    assert_eq!(told, expected);
    assert!(
        runs.iter()
            .all(|run| run.finished_at >= Some(run.started_at))
    );
    let latest = jobs::runs(database.pool(), JOB, 1).await.unwrap();
    assert_eq!(latest, runs[..1]);
}

#[tokio::test]
async fn lease_that_ran_out_is_taken_over_and_its_late_holder_changes_nothing() {
    let database = TestDatabase::create().await;
    let mut sweeper = database.connect_as("sweeper").await;
    let late = take(&mut sweeper).await.unwrap();
    execute(
        &database,
        "update jobs set leased_until = now() - interval '1 second' where run_id is not null",
    )
    .await;
    assert_eq!(outcomes(&database).await, [Outcome::Lost]);
    let next = take(&mut sweeper).await.unwrap();
    assert_eq!(take(&mut sweeper).await, None);
    let before = standing(&database).await;
    for ended in [Ended::Done(9), Ended::Failed("too late".to_owned())] {
        assert!(!finish(&mut sweeper, late, ended).await);
    }
    assert_eq!(standing(&database).await, before);
    let expected = [Outcome::Running, Outcome::Lost];
    assert_eq!(outcomes(&database).await, expected);
    assert!(finish(&mut sweeper, next, Ended::Done(1)).await);
    assert_eq!(outcomes(&database).await, [Outcome::Done, Outcome::Lost]);
    // Once is enough.
    assert!(!finish(&mut sweeper, next, Ended::Done(1)).await);
}

#[tokio::test]
async fn holder_whose_lease_ran_out_unnoticed_still_records_its_run() {
    let database = TestDatabase::create().await;
    let mut sweeper = database.connect_as("sweeper").await;
    let lease = take(&mut sweeper).await.unwrap();
    execute(
        &database,
        "update jobs set leased_until = now() - interval '1 hour' where run_id is not null",
    )
    .await;
    assert!(finish(&mut sweeper, lease, Ended::Done(1)).await);
    assert_eq!(outcomes(&database).await, [Outcome::Done]);
}

#[tokio::test]
async fn job_of_a_later_release_gets_its_row_with_its_first_lease() {
    let database = TestDatabase::create().await;
    execute(&database, "delete from jobs where name = 'outbox'").await;
    let mut sweeper = database.connect_as("sweeper").await;
    let lease = take(&mut sweeper).await.unwrap();
    assert_eq!(take(&mut sweeper).await, None);
    let age = OffsetDateTime::now_utc() - standing(&database).await.last_succeeded_at;
    assert!(age.whole_minutes() < 1, "it was not missed: {age}");
    assert!(finish(&mut sweeper, lease, Ended::Done(0)).await);
}

#[tokio::test]
async fn migration_knows_every_job_and_no_other() {
    let database = TestDatabase::create().await;
    let known: Vec<String> = sqlx::query_scalar("select name from jobs order by name")
        .fetch_all(database.pool())
        .await
        .unwrap();
    let mut names = Job::ALL.map(Job::name);
    names.sort_unstable();
    assert_eq!(known, names);
}
