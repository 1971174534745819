//! The defect of `cargo holdfast drill dead-letters`, and that its checker sees what is wrong.

use local::drill::letters::{Letter, Letters, break_mailer, mend_mailer};
use sqlx::postgres::PgQueryResult;
use sqlx::{ConnectOptions, PgConnection};
use tests::{Stack, TestDatabase};
use uuid::Uuid;

/// Somebody who registered with an address of this domain.
async fn account(db: &mut PgConnection, domain: &str) -> Letter {
    let (user_id, event_id) = (Uuid::now_v7(), Uuid::now_v7());
    let email = format!("{}@{domain}", user_id.simple());
    sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, wallet_id)
         values ($1, $2, $2, 'Ada', '', gen_random_uuid())",
    )
    .bind(user_id)
    .bind(&email)
    .execute(&mut *db)
    .await
    .unwrap();
    sqlx::query(
        "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload)
         values ($1, 'mail', 'account_registered', 1, $2, 1, '{}')",
    )
    .bind(event_id)
    .bind(user_id)
    .execute(db)
    .await
    .unwrap();
    Letter {
        event_id,
        user_id,
        email,
    }
}

/// Adds a token as the mailer does.
async fn add_token(mailer: &mut PgConnection, owner: &Letter) -> sqlx::Result<PgQueryResult> {
    sqlx::query(
        "insert into mail_tokens (token_hash, user_id, purpose, expires_at)
         values ($1, $2, 'verify_email', now() + interval '1 day')",
    )
    .bind(Uuid::new_v4().as_bytes().as_slice())
    .bind(owner.user_id)
    .execute(mailer)
    .await
}

#[tokio::test]
async fn defect_is_of_the_drills_own_accounts_only_and_can_be_mended() {
    let database = TestDatabase::create().await;
    let mut db = database.options().connect().await.unwrap();
    let mut mailer = database.connect_as("mailer").await;
    let theirs = account(&mut db, "letters.drill.example").await;
    let other = account(&mut db, "buyers.example").await;
    for _ in 0..2 {
        break_mailer(&mut db).await.unwrap();
        let refused = add_token(&mut mailer, &theirs).await.unwrap_err();
        // What its consumer takes for a defect, which does not pass by itself.
        let code = refused.as_database_error().unwrap().code();
        assert_eq!(code.as_deref(), Some("P0001"));
        let _ = add_token(&mut mailer, &other).await.unwrap();
    }
    for _ in 0..2 {
        mend_mailer(&mut db).await.unwrap();
        let _ = add_token(&mut mailer, &theirs).await.unwrap();
    }
}

#[tokio::test]
async fn checker_sees_what_was_not_done_and_what_was_done_twice() {
    // Where mails would be found.
    let _ = Stack::running();
    let (stack, database) = (tests::stack::local(), TestDatabase::create().await);
    let mut db = database.options().connect().await.unwrap();
    let (none, twice) = (
        account(&mut db, "letters.drill.example").await,
        account(&mut db, "letters.drill.example").await,
    );
    for _ in 0..2 {
        let _ = add_token(&mut db, &twice).await.unwrap();
    }
    let letters = Letters {
        good: vec![none.clone(), twice.clone()],
        poison: vec![Uuid::now_v7()],
    };
    let broken = letters.check(&stack, &mut db).await.unwrap();
    let poison = letters.poison[0];
    for words in [
        format!("event {} made 0 tokens, 0 effects", none.event_id),
        format!("event {} made 2 tokens", twice.event_id),
        format!("event {}: 0 mails were sent", none.event_id),
        format!("poison {poison} is not parked"),
    ] {
        let is_said = broken.iter().any(|broken| broken.starts_with(&words));
        assert!(is_said, "{words}: {broken:?}");
    }
}
