//! How much waits for each consumer, as the journal says it.

use shared::store::backlog;
use tests::TestDatabase;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Writes down an event of some minutes ago; how far it came is one of the journal's columns.
async fn event(database: &TestDatabase, queue: &str, (minutes, came): (i64, &str)) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload, occurred_at,
             published_at, consumed_at)
         values ($1, $2, 'payment_due', 1, $1, 1, '{}', now() - make_interval(mins => $3),
             case when $4 <> 'written' then now() end, case when $4 = 'handled' then now() end)",
    )
    .bind(id)
    .bind(queue)
    .bind(i32::try_from(minutes).unwrap())
    .bind(came)
    .execute(database.pool())
    .await
    .unwrap();
    id
}

/// Keeps a dead letter of an event.
async fn dead_letter(database: &TestDatabase, (queue, event_id): (&str, Uuid), status: &str) {
    sqlx::query(
        "insert into failed_events (id, queue, event_id, body, payload_excerpt, error_class, error, attempts,
             first_failed_at, last_failed_at, last_message_id, status, next_attempt_at, resolved_at, resolved_by, reason)
         values ($1, $2, $3, '', '', 'defect', 'a defect', 5, now(), now(), 'm', $4,
             case when $4 = 'waiting' then now() end, case when $4 in ('replayed', 'discarded') then now() end,
             case when $4 = 'discarded' then $1 end, case when $4 = 'discarded' then 'about no order' end)",
    )
    .bind(Uuid::now_v7())
    .bind(queue)
    .bind(event_id)
    .bind(status)
    .execute(database.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn backlog_counts_what_is_not_handled_and_no_dead_letter() {
    let database = TestDatabase::create().await;
    for (queue, came) in [
        ("orders", (30, "published")),
        ("orders", (2, "written")),
        ("orders", (90, "handled")),
        ("mail", (5, "published")),
        ("analytics", (1, "handled")),
    ] {
        event(&database, queue, came).await;
    }
    for status in ["parked", "waiting", "discarded"] {
        let dead = event(&database, "orders", (600, "published")).await;
        dead_letter(&database, ("orders", dead), status).await;
    }
    // One that was processed after all is handled, or else it is missing like any other.
    let lost = event(&database, "mail", (60, "published")).await;
    dead_letter(&database, ("mail", lost), "replayed").await;

    let mut as_ops = database.connect_as("ops").await;
    let rows = backlog::by_queue(&mut as_ops).await.unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let age: Duration = OffsetDateTime::now_utc() - row.oldest_at;
            (
                row.queue.as_str(),
                row.events,
                row.unpublished,
                age.whole_minutes(),
            )
        })
        .collect();
    assert_eq!(shown, [("mail", 2, 0, 60), ("orders", 2, 1, 30)]);
}
