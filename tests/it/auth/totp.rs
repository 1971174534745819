//! The second factor.

use axum::Router;
use http::Method;
use serde_json::{Value, json};
use shared::domain::totp::TotpSecret;
use shared::providers::signing::Claims;
use shared::state::{AppState, Auth};
use tests::client::Answer;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{ask_whole, id_of, login, register};

const EMAIL: &str = "ada@example.com";

/// Somebody signed in, with a database of their own.
struct Person {
    state: AppState<Auth>,
    router: Router,
    token: String,
}

impl Person {
    async fn new() -> Self {
        let state = tests::state::<Auth>().await;
        let router = auth::router(state.clone());
        register(&router, EMAIL).await;
        let pair = login(&router, EMAIL).await;
        let token = pair["access_token"].as_str().unwrap().to_owned();
        Self {
            state,
            router,
            token,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let asked = (Method::POST, path, Some(self.token.as_str()), body);
        ask_whole(&self.router, asked).await
    }

    async fn give(&self, path: &str, code: &str) -> Answer {
        self.post(path, json!({"code": code})).await
    }

    /// Sets a second factor up, and what it came with.
    async fn set_up(&self) -> (TotpSecret, Vec<String>) {
        let answer = self.post("/auth/totp", Value::Null).await.expect(200).body;
        let secret = TotpSecret::from_text(answer["secret"].as_str().unwrap()).unwrap();
        let codes = serde_json::from_value(answer["recovery_codes"].clone());
        (secret, codes.unwrap())
    }

    /// Sets one up and takes it into use with the code of the step before.
    async fn enrol(&self) -> (TotpSecret, Vec<String>) {
        let (secret, codes) = self.set_up().await;
        let confirmed = self.give("/auth/totp/confirm", &code(&secret, -30)).await;
        let _ = confirmed.expect(204);
        (secret, codes)
    }
}

/// What the device shows some seconds from now.
fn code(secret: &TotpSecret, seconds: i64) -> String {
    secret.code(OffsetDateTime::now_utc() + Duration::seconds(seconds))
}

async fn claims(state: &AppState<Auth>, token: &str) -> Claims {
    state.verifier.verify(token).await.unwrap()
}

#[track_caller]
fn is_refused(answer: Answer) {
    assert_eq!(answer.expect(401).problem(), "invalid-credentials");
}

#[tokio::test]
async fn second_factor_is_set_up_confirmed_and_shown() {
    let ada = Person::new().await;
    let answer = ada.post("/auth/totp", Value::Null).await.expect(200).body;
    let secret = answer["secret"].as_str().unwrap();
    let url = answer["otpauth_url"].as_str().unwrap();
    assert!(
        url.starts_with("otpauth://totp/Holdfast:ada%40example.com?"),
        "{url}"
    );
    assert!(url.contains(&format!("secret={secret}")), "{url}");
    assert_eq!(answer["recovery_codes"].as_array().unwrap().len(), 10);
    let secret = TotpSecret::from_text(secret).unwrap();
    // Not in use before its first code.
    let early = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(409);
    assert_eq!(early.problem(), "conflict");
    let confirmed = ada.give("/auth/totp/confirm", &code(&secret, -30)).await;
    let _ = confirmed.expect(204);
    let stepped = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(200)
        .body;
    let shown = claims(&ada.state, stepped["access_token"].as_str().unwrap()).await;
    assert_eq!(shown.sub, id_of(&ada.state, EMAIL).await);
    assert_eq!(shown.step_up_until, Some(shown.iat + 900));
    let until = OffsetDateTime::parse(stepped["step_up_until"].as_str().unwrap(), &Rfc3339);
    assert_eq!(shown.step_up_until, Some(until.unwrap().unix_timestamp()));
    assert_eq!(claims(&ada.state, &ada.token).await.step_up_until, None);
}

#[tokio::test]
async fn code_is_taken_once() {
    let ada = Person::new().await;
    let (secret, _) = ada.enrol().await;
    let now = code(&secret, 0);
    let both = tokio::join!(
        ada.give("/auth/step-up", &now),
        ada.give("/auth/step-up", &now)
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    // Sent again and again it is refused, and counts for no guess.
    for _ in 0..8 {
        is_refused(ada.give("/auth/step-up", &now).await);
    }
    let _ = ada
        .give("/auth/step-up", &code(&secret, 30))
        .await
        .expect(200);
}

#[tokio::test]
async fn recovery_code_is_taken_once_and_opens_what_a_lost_device_locked() {
    let ada = Person::new().await;
    let (_, codes) = ada.enrol().await;
    let mut lost = Person {
        state: ada.state.clone(),
        router: ada.router.clone(),
        token: ada.token.clone(),
    };
    let typed = codes[0].to_lowercase().replace('-', " ");
    let stepped = ada.give("/auth/step-up", &typed).await.expect(200).body;
    is_refused(ada.give("/auth/step-up", &codes[0]).await);
    // With it, another device takes the lost one's place.
    stepped["access_token"]
        .as_str()
        .unwrap()
        .clone_into(&mut lost.token);
    let (secret, new_codes) = lost.enrol().await;
    is_refused(ada.give("/auth/step-up", &codes[1]).await);
    let _ = ada.give("/auth/step-up", &new_codes[0]).await.expect(200);
    let _ = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(200);
}

#[tokio::test]
async fn factor_in_use_is_replaced_only_by_whoever_shows_it() {
    let ada = Person::new().await;
    let (secret, _) = ada.enrol().await;
    let refused = ada.post("/auth/totp", Value::Null).await.expect(403);
    assert_eq!(refused.problem(), "step-up-required");
    let stepped = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(200)
        .body;
    let with = Person {
        token: stepped["access_token"].as_str().unwrap().to_owned(),
        ..ada
    };
    let (next, _) = with.set_up().await;
    // The one in use is in use until the next one is confirmed.
    let _ = with
        .give("/auth/step-up", &code(&secret, 30))
        .await
        .expect(200);
    let confirmed = with.give("/auth/totp/confirm", &code(&next, -30)).await;
    let _ = confirmed.expect(204);
    is_refused(with.give("/auth/step-up", &code(&secret, -30)).await);
    let _ = with
        .give("/auth/step-up", &code(&next, 0))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_is_no_code_is_told_apart_from_a_wrong_one() {
    let ada = Person::new().await;
    let nothing = ada.give("/auth/totp/confirm", "123456").await.expect(409);
    assert_eq!(nothing.problem(), "conflict");
    let (secret, codes) = ada.set_up().await;
    let wrong = code(&secret, 300);
    for bad in ["", "12345", "abc", &codes[0], &wrong] {
        let refused = ada.give("/auth/totp/confirm", bad).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/code", "{bad}");
    }
    let confirmed = ada.give("/auth/totp/confirm", &code(&secret, -30)).await;
    let _ = confirmed.expect(204);
    is_refused(ada.give("/auth/step-up", &wrong).await);
    is_refused(ada.give("/auth/step-up", "AAAA-AAAA-AAAA-AAAA").await);
    let _ = ada.give("/auth/step-up", "12345").await.expect(422);
}

#[tokio::test]
async fn guesses_are_bounded_and_a_right_code_waits_too() {
    let ada = Person::new().await;
    let (secret, _) = ada.enrol().await;
    let guesses = (0..12).map(|guess| ada.give("/auth/step-up", GUESSES[guess % 2]));
    let answers = futures::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5);
    let refused = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(429);
    let pause: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&pause), "{pause}");
    // A minute later.
    super::execute(
        &ada.state,
        "update totp_enrolments set failed_at = failed_at - interval '1 minute' where user_id = $1",
        id_of(&ada.state, EMAIL).await,
    )
    .await;
    let _ = ada
        .give("/auth/step-up", &code(&secret, 0))
        .await
        .expect(200);
    is_refused(ada.give("/auth/step-up", GUESSES[0]).await);
}

/// Codes on paper that nobody has: they are wrong at any time.
const GUESSES: [&str; 2] = ["AAAA-AAAA-AAAA-AAAA", "BBBB-BBBB-BBBB-BBBB"];

#[tokio::test]
async fn stored_secret_and_codes_cannot_be_read() {
    let ada = Person::new().await;
    let (secret, codes) = ada.set_up().await;
    let mut tx = ada.state.database.begin().await.unwrap();
    let kept: Vec<u8> = sqlx::query_scalar("select secret from totp_enrolments")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert!(!kept.windows(20).any(|bytes| bytes == secret.as_bytes()));
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("select code_hash from recovery_codes")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert_eq!(hashes.len(), codes.len());
    assert!(hashes.iter().all(|hash| hash.len() == 32));
}
