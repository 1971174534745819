//! Messages that nobody should have sent, through the deployed functions: each is kept as it came,
//! shown with care, and has no effect that it should not have.

use super::event;
use super::routes::ROUTE;
use super::whole::{database, send, tick};
use crate::faults::in_the_end;
use serde_json::{Value, json};
use shared::domain::events::Queue;
use shared::domain::ids;
use shared::store::outbox::Pending;
use sqlx::PgConnection;
use tests::Stack;
use tests::shop::{Shop, eventually};
use uuid::Uuid;

/// What is sent in full; SQS takes 1,048,576 bytes with all that stands beside the message.
const LARGE: usize = 1_000_000;

/// The dead letter that this message in `mail` became.
async fn kept(shop: &Shop, body: &str) -> Option<Value> {
    let path = format!("{ROUTE}/{}", ids::dead_letter_id(Queue::Mail, body));
    let answer = shop.admin.get(&path).await;
    (answer.status == 200).then_some(answer.body)
}

/// Sends a message to the deployed mailer; the dead letter that it becomes.
async fn dies(shop: &Shop, body: &str) -> Value {
    send("mail", body, &json!({})).await;
    let letter = in_the_end("it is kept", async || kept(shop, body).await).await;
    assert_eq!(letter["status"], "parked", "{letter}");
    letter
}

/// Replays it; it comes back to the same row, which tells that it was sent byte for byte.
async fn dies_again(shop: &Shop, letter: &Value, body: &str) {
    let replay = format!("{ROUTE}/{}/replay", letter["id"].as_str().unwrap());
    let _ = shop.admin.post(&replay, json!({})).await.expect(202);
    tick().await;
    let again = in_the_end("it dies again", async || {
        let letter = kept(shop, body).await?;
        (letter["status"] == "parked").then_some(letter)
    });
    let again = again.await;
    assert_eq!(again["attempts"], 2);
    assert_eq!(again["error_class"], letter["error_class"]);
}

async fn stored_body(letter: &Value) -> Vec<u8> {
    let id: Uuid = letter["id"].as_str().unwrap().parse().unwrap();
    let body = sqlx::query_scalar("select body from failed_events where id = $1").bind(id);
    body.fetch_one(&mut database().await).await.unwrap()
}

#[tokio::test]
async fn event_of_a_later_release_waits_for_that_release() {
    let shop = Shop::open().await;
    let body = event(Uuid::now_v7(), 3).replace("\"version\":1", "\"version\":9");
    let letter = dies(&shop, &body).await;
    assert_eq!(letter["error_class"], "unknown_event");
    let error = letter["error"].as_str().unwrap();
    assert!(error.contains("event version 9 is newer"), "{error}");
    // What can be read of it is shown all the same.
    assert_eq!(
        (&letter["type"], &letter["sequence"], &letter["attempts"]),
        (&json!("order_paid"), &json!(3), &json!(1))
    );
    dies_again(&shop, &letter, &body).await;
}

#[tokio::test]
async fn event_id_with_another_body_is_a_dead_letter_of_its_own() {
    let shop = Shop::open().await;
    let body = event(Uuid::now_v7(), 1).replace("\"version\":1", "\"version\":9");
    let other = body.replace("order_paid", "order_cancelled");
    let first = dies(&shop, &body).await;
    let second = dies(&shop, &other).await;
    assert_eq!(second["event_id"], first["event_id"]);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["error_class"], "event_id_reused");
    let error = second["error"].as_str().unwrap();
    assert!(error.contains("another body of this event"), "{error}");
    assert_eq!(kept(&shop, &body).await.unwrap(), first);
}

#[tokio::test]
async fn message_of_a_megabyte_is_kept_whole_and_listed_in_two_hundred_characters() {
    let shop = Shop::open().await;
    let mark = Uuid::new_v4();
    let mut body =
        format!("no event {mark} from ada@shop.example with 4242 4242 4242 4242, and then ");
    body += &"on and ".repeat(LARGE / 7);
    body.truncate(LARGE);
    let letter = dies(&shop, &body).await;
    let path = format!("{ROUTE}?queue=mail&error_class=unknown_event&limit=100");
    let page = shop.admin.get(&path).await.expect(200).body;
    let mut items = page["items"].as_array().unwrap().iter();
    let listed = items.find(|listed| listed["id"] == letter["id"]).unwrap();
    let excerpt = listed["payload_excerpt"].as_str().unwrap();
    assert_eq!(excerpt.chars().count(), 200);
    let begin = format!("no event {mark} from *** with ***, and then on and ");
    assert!(excerpt.starts_with(&begin), "{excerpt}");
    assert!(stored_body(&letter).await == body.as_bytes());
    dies_again(&shop, &letter, &body).await;
}

#[tokio::test]
async fn what_is_no_text_in_a_message_stays_as_it_was_sent() {
    let shop = Shop::open().await;
    let (mark, id) = (Uuid::new_v4(), Uuid::now_v7());
    // JSON allows to write them, and neither is a text that a database takes.
    let surrogate = format!(r#"{{"id": "\ud800", "type": "order_paid", "mark": "{mark}"}}"#);
    let nul = format!(r#"{{"id": "{id}", "type": "a\u0000b", "mark": "\u0000"}}"#);
    for body in [&surrogate, &nul] {
        let letter = dies(&shop, body).await;
        assert_eq!(letter["error_class"], "unknown_event");
        assert_eq!(stored_body(&letter).await, body.as_bytes());
        dies_again(&shop, &letter, body).await;
    }
    let letter = kept(&shop, &surrogate).await.unwrap();
    assert_eq!(
        (&letter["event_id"], &letter["type"]),
        (&Value::Null, &Value::Null)
    );
    let excerpt = letter["payload_excerpt"].as_str().unwrap();
    assert!(excerpt.contains(&mark.to_string()), "{excerpt}");
    let letter = kept(&shop, &nul).await.unwrap();
    assert_eq!(letter["event_id"], json!(id));
    assert_eq!(letter["type"], "a\u{fffd}b");
}

/// The mail that a new account is owed.
struct Owed {
    event_id: Uuid,
    user_id: Uuid,
    email: String,
    /// What its queue was sent.
    body: String,
}

impl Owed {
    async fn to_a_newcomer(shop: &Shop) -> Self {
        let (client, credentials) = shop.newcomer_with_credentials().await;
        let me = client.get("/auth/me").await.expect(200).body;
        let user_id: Uuid = me["id"].as_str().unwrap().parse().unwrap();
        let sent: Pending = sqlx::query_as(
            "select event_id, queue, type, version, aggregate_id, sequence, payload, occurred_at, trace_context
             from outbox where aggregate_id = $1 and queue = 'mail' and type = 'account_registered'",
        )
        .bind(user_id)
        .fetch_one(&mut database().await)
        .await
        .unwrap();
        Self {
            event_id: sent.event_id,
            user_id,
            email: credentials["email"].as_str().unwrap().to_owned(),
            body: json!(sent.envelope()).to_string(),
        }
    }

    async fn is_handled(&self, db: &mut PgConnection) -> bool {
        sqlx::query_scalar(
            "select consumed_at is not null from outbox where event_id = $1 and queue = 'mail'",
        )
        .bind(self.event_id)
        .fetch_one(db)
        .await
        .unwrap()
    }

    async fn handled(&self) {
        eventually("it is handled", async || {
            let mut db = database().await;
            self.is_handled(&mut db).await.then_some(())
        })
        .await;
    }

    /// As if its consumer's note had been lost.
    async fn forget_the_note(&self) {
        sqlx::query("update outbox set consumed_at = null where event_id = $1 and queue = 'mail'")
            .bind(self.event_id)
            .execute(&mut database().await)
            .await
            .unwrap();
    }

    /// As if all that is written down of it were older: nothing of the shop looks at another clock.
    async fn as_if_two_hours_had_passed(&self) {
        let mut db = database().await;
        for statement in [
            "update inbox set processed_at = processed_at - interval '2 hours' where event_id = $1",
            "update inbox_leases set leased_until = leased_until - interval '2 hours' where event_id = $1",
            "update outbox set published_at = published_at - interval '2 hours', consumed_at = null
             where event_id = $1 and queue = 'mail' and sent_again_at is null",
        ] {
            let aged = sqlx::query(statement).bind(self.event_id);
            aged.execute(&mut db).await.unwrap();
        }
    }

    async fn was_sent_again(&self, db: &mut PgConnection) -> bool {
        sqlx::query_scalar(
            "select sent_again_at is not null from outbox where event_id = $1 and queue = 'mail'",
        )
        .bind(self.event_id)
        .fetch_one(db)
        .await
        .unwrap()
    }

    /// How many tokens, notes and mails it came to.
    async fn effects(&self) -> (i64, i64, usize) {
        let (tokens, notes): (i64, i64) = sqlx::query_as(
            "select (select count(*) from mail_tokens where user_id = $1),
                 (select count(*) from inbox where event_id = $2 and consumer = 'mailer')",
        )
        .bind(self.user_id)
        .bind(self.event_id)
        .fetch_one(&mut database().await)
        .await
        .unwrap();
        let mails = Stack::running().ses_mails_to(&self.email).await;
        (tokens, notes, mails.len())
    }
}

#[tokio::test]
async fn event_that_comes_again_at_once_and_two_hours_later_has_one_effect() {
    let shop = Shop::open().await;
    let owed = Owed::to_a_newcomer(&shop).await;
    owed.handled().await;
    assert_eq!(owed.effects().await, (1, 1, 1));
    owed.forget_the_note().await;
    let nothing = json!({});
    let twice = || send("mail", &owed.body, &nothing);
    futures::join!(twice(), twice());
    owed.handled().await;
    // The sweeper takes what has no note for lost and sends it again, so this is the third copy.
    in_the_end("the sweeper sends it again", async || {
        let mut db = database().await;
        if !owed.was_sent_again(&mut db).await {
            // The note of the second one may only come now.
            owed.as_if_two_hours_had_passed().await;
            return None;
        }
        owed.is_handled(&mut db).await.then_some(())
    })
    .await;
    assert_eq!(owed.effects().await, (1, 1, 1));
}

#[tokio::test]
async fn dead_letter_that_comes_twice_at_once_and_again_later_is_one() {
    let shop = Shop::open().await;
    let body = format!("no event {} at all", Uuid::new_v4());
    let nothing = json!({});
    let twice = || send("mail", &body, &nothing);
    futures::join!(twice(), twice());
    let letter = in_the_end("it is kept", async || kept(&shop, &body).await).await;
    // As if it had died two hours ago.
    let aged = sqlx::query(
        "update failed_events set first_failed_at = first_failed_at - interval '2 hours',
             last_failed_at = last_failed_at - interval '2 hours' where id = $1",
    );
    let id: Uuid = letter["id"].as_str().unwrap().parse().unwrap();
    let mut db = database().await;
    aged.bind(id).execute(&mut db).await.unwrap();
    send("mail", &body, &nothing).await;
    // Two deaths in all, the first and that of the replay: a copy counts as none.
    dies_again(&shop, &letter, &body).await;
    let rows: i64 = sqlx::query_scalar("select count(*) from failed_events where body = $1")
        .bind(body.as_bytes())
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}
