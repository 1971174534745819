//! What had its time is forgotten, and nothing else is.

use shared::resilience::policies::{ANSWERS_KEPT, JOB_RUNS_KEPT, MAIL_TOKENS_KEPT, WEBHOOKS_KEPT};
use shared::store::{idempotency, jobs, mail_tokens, webhooks};
use sqlx::PgPool;
use tests::TestDatabase;
use uuid::Uuid;

async fn user(pool: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, wallet_id)
         values ($1, $1::text, $1::text, 'Ada', '', $1)",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    id
}

async fn order(pool: &PgPool, customer: Uuid, status: &str) {
    sqlx::query(
        "insert into orders (id, customer_id, idempotency_key, status, currency, subtotal_minor, shipping_minor,
             tax_minor, tax_included, total_minor, shipping_address, payment_method)
         values ($1, $2, $1::text, $3, 'EUR', 1000, 0, 160, true, 1000, '{}', 'card')",
    )
    .bind(Uuid::now_v7())
    .bind(customer)
    .bind(status)
    .execute(pool)
    .await
    .unwrap();
}

/// An answer to a request, or a request that has none yet.
struct Kept {
    caller: Uuid,
    route: &'static str,
    key: &'static str,
    days: i32,
    answer: Option<&'static str>,
}

impl Kept {
    /// A refund's, which was answered long ago.
    fn old(caller: Uuid, key: &'static str) -> Self {
        Self {
            caller,
            route: "POST /orders/{id}/refunds",
            key,
            days: 8,
            answer: Some("{}"),
        }
    }

    async fn store(self, pool: &PgPool) {
        sqlx::query(
            "insert into idempotency_keys (caller_id, route, key, fingerprint, owner, leased_until, status, body, created_at)
             values ($1, $2, $3, '', $1, now(), case when $4::text is null then null else 201::smallint end,
                 convert_to($4::text, 'UTF8'), now() - make_interval(days => $5))",
        )
        .bind(self.caller)
        .bind(self.route)
        .bind(self.key)
        .bind(self.answer)
        .bind(self.days)
        .execute(pool)
        .await
        .unwrap();
    }
}

async fn keys(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select key from idempotency_keys order by key")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn old_answers_are_forgotten_and_nothing_that_may_still_matter() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let (done, waiting) = (user(pool).await, user(pool).await);
    order(pool, done, "paid").await;
    order(pool, waiting, "payment_unknown").await;
    let kept = [
        Kept::old(done, "old"),
        Kept {
            days: 6,
            ..Kept::old(done, "young")
        },
        Kept {
            route: "POST /checkout",
            days: 900,
            ..Kept::old(done, "checkout")
        },
        Kept {
            answer: None,
            ..Kept::old(done, "under way")
        },
        Kept {
            route: "POST /orders/{id}/pay",
            ..Kept::old(waiting, "undecided")
        },
    ];
    for one in kept {
        one.store(pool).await;
    }
    let mut sweeper = database.connect_as("sweeper").await;
    let forgotten = idempotency::forget(&mut sweeper, ANSWERS_KEPT, 100).await;
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(
        keys(pool).await,
        ["checkout", "undecided", "under way", "young"]
    );
    sqlx::query("update orders set status = 'payment_failed' where status = 'payment_unknown'")
        .execute(pool)
        .await
        .unwrap();
    let forgotten = idempotency::forget(&mut sweeper, ANSWERS_KEPT, 100).await;
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(keys(pool).await, ["checkout", "under way", "young"]);
}

#[tokio::test]
async fn the_oldest_are_forgotten_first_and_no_more_than_a_batch() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let caller = user(pool).await;
    for (key, days) in [("b", 20), ("a", 10), ("c", 30)] {
        let old = Kept::old(caller, key);
        Kept { days, ..old }.store(pool).await;
    }
    let mut sweeper = database.connect_as("sweeper").await;
    for left in [vec!["a"], vec![]] {
        let forgotten = idempotency::forget(&mut sweeper, ANSWERS_KEPT, 2).await;
        assert!(forgotten.unwrap() > 0);
        assert_eq!(keys(pool).await, left);
    }
}

#[tokio::test]
async fn mailed_tokens_are_forgotten_a_week_after_they_were_good() {
    let database = TestDatabase::create().await;
    let user = user(database.pool()).await;
    for (token, days, used) in [
        ("1", 8, true),
        ("2", 8, false),
        ("3", 6, true),
        ("4", -1, true),
    ] {
        sqlx::query(
            "insert into mail_tokens (token_hash, user_id, purpose, expires_at, used_at)
             values (convert_to($1, 'UTF8'), $2, 'verify_email', now() - make_interval(days => $3),
                 case when $4 then now() end)",
        )
        .bind(token)
        .bind(user)
        .bind(days)
        .bind(used)
        .execute(database.pool())
        .await
        .unwrap();
    }
    let mut sweeper = database.connect_as("sweeper").await;
    let forgotten = mail_tokens::forget(&mut sweeper, MAIL_TOKENS_KEPT, 100).await;
    assert_eq!(forgotten.unwrap(), 2);
    let left: Vec<String> =
        sqlx::query_scalar("select convert_from(token_hash, 'UTF8') from mail_tokens order by 1")
            .fetch_all(database.pool())
            .await
            .unwrap();
    assert_eq!(left, ["3", "4"]);
}

#[tokio::test]
async fn webhooks_are_forgotten_a_month_after_they_were_applied() {
    let database = TestDatabase::create().await;
    for (id, days) in [
        ("old", Some(31)),
        ("young", Some(29)),
        ("not applied", None),
    ] {
        sqlx::query(
            "insert into webhook_events (provider_event_id, type, payload, received_at, applied_at)
             values ($1, 'x', '{}', now() - interval '90 days', now() - make_interval(days => $2::int))",
        )
        .bind(id)
        .bind(days)
        .execute(database.pool())
        .await
        .unwrap();
    }
    let mut sweeper = database.connect_as("sweeper").await;
    let forgotten = webhooks::forget(&mut sweeper, WEBHOOKS_KEPT, 100).await;
    assert_eq!(forgotten.unwrap(), 1);
    let left: Vec<String> =
        sqlx::query_scalar("select provider_event_id from webhook_events order by 1")
            .fetch_all(database.pool())
            .await
            .unwrap();
    assert_eq!(left, ["not applied", "young"]);
}

#[tokio::test]
async fn runs_are_forgotten_after_a_week() {
    let database = TestDatabase::create().await;
    for days in [6, 8, 9] {
        sqlx::query(
            "insert into job_runs (id, job, started_at) values ($1, 'outbox', now() - make_interval(days => $2))",
        )
        .bind(Uuid::now_v7())
        .bind(days)
        .execute(database.pool())
        .await
        .unwrap();
    }
    let mut sweeper = database.connect_as("sweeper").await;
    for left in [2_i64, 1, 1] {
        jobs::forget_runs(&mut sweeper, JOB_RUNS_KEPT, 1)
            .await
            .unwrap();
        let count: i64 = sqlx::query_scalar("select count(*) from job_runs")
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert_eq!(count, left);
    }
}
