//! The other region of Secrets Manager, the second mail provider, and what a queue does meanwhile.

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::domain::events::Event;
use shared::events::handle_batch;
use shared::state::{AppState, Auth, Mailer};
use std::time::{Duration, Instant};
use tests::shop::eventually;
use tests::state::{Changed, NOWHERE, silent};
use tests::{Stack, TestQueue};
use tower::ServiceExt;
use uuid::Uuid;

async fn post(router: &Router, path: &str, body: &Value) -> (u16, Value) {
    let request =
        Request::post(format!("/api/v1{path}")).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A whole sign-in by an environment that has just started: login at the database, signing keys.
async fn cold_sign_in(secrets: &str) -> Duration {
    let changed = Changed::new().at("Secrets Manager", secrets);
    let state = changed.state::<Auth>().await;
    let customer = Stack::running().accounts.customer;
    let body = json!({"email": customer.email, "password": customer.password});
    let started = Instant::now();
    let (status, pair) = post(&auth::router(state.clone()), "/auth/login", &body).await;
    let elapsed = started.elapsed();
    assert_eq!(status, 200, "{pair}");
    let token = pair["access_token"].as_str().unwrap();
    assert!(state.verifier.verify(token).await.is_ok());
    elapsed
}

#[tokio::test]
async fn cold_start_reads_its_secrets_in_the_other_region() {
    cold_sign_in(NOWHERE).await;
    let (_listener, silent) = silent();
    let elapsed = cold_sign_in(&silent).await;
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[tokio::test]
async fn without_any_region_nothing_can_be_read_and_the_answer_is_503() {
    let changed = Changed::new().at("Secrets Manager", NOWHERE);
    let changed = changed.with("SECRETS_SECONDARY_ENDPOINT_URL", NOWHERE);
    let router = auth::router(changed.state::<Auth>().await);
    let body = json!({"email": "ada@example.com", "password": "tr0mbone&Kelp"});
    assert_eq!(post(&router, "/auth/login", &body).await.0, 503);
}

/// A queue with the mail that a new account calls for, and the database that has the account.
struct Registered {
    auth: AppState<Auth>,
    queue: TestQueue,
    email: String,
    event_id: Uuid,
}

impl Registered {
    async fn somebody() -> Self {
        let auth = tests::state::<Auth>().await;
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let body = json!({"email": email, "password": "tr0mbone&Kelp", "name": "Zoë"});
        let (status, answer) = post(&auth::router(auth.clone()), "/auth/register", &body).await;
        assert_eq!(status, 202, "{answer}");
        let mut tx = auth.database.begin().await.unwrap();
        let user_id: Uuid = sqlx::query_scalar("select id from users")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        let registered = Self {
            queue: TestQueue::create().await,
            event_id: Uuid::now_v7(),
            auth,
            email,
        };
        registered.queue.send(&registered.message(user_id)).await;
        registered
    }

    fn message(&self, user_id: Uuid) -> String {
        let message = json!({
            "id": self.event_id, "type": "account_registered", "version": 1, "aggregate_id": user_id,
            "sequence": 1, "occurred_at": "2026-11-01T12:00:00Z",
            "payload": Event::AccountRegistered { user_id },
        });
        message.to_string()
    }

    async fn mailer(&self, changed: Changed) -> AppState<Mailer> {
        let changed = changed.on_the_database_of(&self.auth);
        changed
            .with("MAIL_QUEUE_URL", &self.queue.url)
            .state::<Mailer>()
            .await
    }

    /// Takes what is visible in the queue through the mailer; how many messages go back.
    async fn deliver(&self, mailer: &AppState<Mailer>) -> usize {
        let messages = self.queue.take().await;
        assert_eq!(messages.len(), 1);
        let handle = |envelope, event| mailer::handle(mailer.clone(), envelope, event);
        let batch = self.queue.batch(&messages);
        let response = handle_batch(mailer, batch, handle).await;
        response.batch_item_failures.len()
    }

    /// The mails in the sink that were made for this event.
    fn in_the_sink(&self) -> Vec<String> {
        let mailbox = local::smtp::mailbox(&tests::stack::local());
        let Ok(folder) = std::fs::read_dir(mailbox.join("new")) else {
            return Vec::new();
        };
        let mails = folder
            .flatten()
            .filter_map(|file| std::fs::read_to_string(file.path()).ok());
        let header = format!("X-Event-Id: {}", self.event_id);
        mails.filter(|mail| mail.contains(&header)).collect()
    }

    /// How many mails SES sent to this address.
    async fn at_ses(&self) -> usize {
        Stack::running().ses_mails_to(&self.email).await.len()
    }
}

#[tokio::test]
async fn mail_goes_through_the_second_provider_while_ses_is_away() {
    let (_listener, silent) = silent();
    for endpoint in [NOWHERE, &silent] {
        let somebody = Registered::somebody().await;
        let mailer = somebody.mailer(Changed::new().at("SESv2", endpoint)).await;
        assert_eq!(somebody.deliver(&mailer).await, 0);
        let mails = somebody.in_the_sink();
        assert_eq!(mails.len(), 1);
        let to = format!("To: {}", somebody.email);
        let id = format!("Message-ID: <{}@", somebody.event_id);
        for part in [to.as_str(), &id, "multipart/alternative", "text/html"] {
            assert!(mails[0].contains(part), "{part} in {}", mails[0]);
        }
    }
}

#[tokio::test]
async fn mail_waits_a_little_while_no_provider_answers_and_is_sent_once_by_ses_when_it_is_back() {
    let somebody = Registered::somebody().await;
    let nobody = Changed::new().at("SESv2", NOWHERE).with("SMTP_PORT", "9");
    let mailer = somebody.mailer(nobody).await;
    assert_eq!(somebody.deliver(&mailer).await, 1);
    let mailer = somebody.mailer(Changed::new()).await;
    let started = Instant::now();
    // Its visibility was ten minutes, and is five seconds now.
    let handle = |envelope, event| mailer::handle(mailer.clone(), envelope, event);
    let batch = eventually("the mail comes again", async || {
        let messages = somebody.queue.take().await;
        (!messages.is_empty()).then(|| somebody.queue.batch(&messages))
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(batch.records[0].attributes["ApproximateReceiveCount"], "2");
    for _ in 0..2 {
        let response = handle_batch(&mailer, batch.clone(), handle).await;
        assert!(response.batch_item_failures.is_empty());
    }
    assert_eq!(
        (somebody.at_ses().await, somebody.in_the_sink().len()),
        (1, 0)
    );
}

#[tokio::test]
async fn mail_is_never_sent_in_the_clear_except_on_a_local_stack() {
    let somebody = Registered::somebody().await;
    // The sink offers no TLS.
    let changed = Changed::new().at("SESv2", NOWHERE).with("STAGE", "dev");
    let mailer = somebody.mailer(changed).await;
    assert_eq!(somebody.deliver(&mailer).await, 1);
    assert_eq!(somebody.in_the_sink().len(), 0);
}

#[tokio::test]
async fn mail_that_is_being_sent_is_not_sent_by_another() {
    let somebody = Registered::somebody().await;
    let (_listener, endpoint) = silent();
    let slow = Changed::new().at("SESv2", &endpoint);
    let (slow, fast) = (
        somebody.mailer(slow).await,
        somebody.mailer(Changed::new()).await,
    );
    let batch = somebody.queue.batch(&somebody.queue.take().await);
    let deliver = async |mailer: &AppState<Mailer>| {
        let handle = |envelope, event| mailer::handle(mailer.clone(), envelope, event);
        let response = handle_batch(mailer, batch.clone(), handle).await;
        response.batch_item_failures.len()
    };
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        deliver(&fast).await
    };
    assert_eq!(futures::join!(deliver(&slow), second), (0, 1));
    assert_eq!(
        (somebody.at_ses().await, somebody.in_the_sink().len()),
        (0, 1)
    );
}

#[tokio::test]
async fn poison_is_among_the_dead_letters_at_once_with_its_reason() {
    let queue = TestQueue::create().await;
    let mailer = Changed::new()
        .with("MAIL_QUEUE_URL", &queue.url)
        .state::<Mailer>()
        .await;
    queue.send("not an event").await;
    let batch = queue.batch(&queue.take().await);
    let handle = |envelope, event| mailer::handle(mailer.clone(), envelope, event);
    let response = handle_batch(&mailer, batch, handle).await;
    assert!(response.batch_item_failures.is_empty());
    let dead = queue.take_dead_letters().await;
    assert_eq!(dead[0].body.as_deref(), Some("not an event"));
    let attributes = dead[0].message_attributes.as_ref().unwrap();
    let attribute = |name: &str| attributes[name].string_value.clone().unwrap();
    assert_eq!(attribute("error_class"), "unknown_event");
    assert!(attribute("error").contains("not an event envelope"));
    for at in ["first_failed_at", "failed_at"] {
        assert!(attribute(at).ends_with('Z'), "{at}");
    }
    assert_eq!(attribute("attempts"), "1");
}
