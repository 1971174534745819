//! Another password: forgotten, and changed.

use argon2::{Argon2, Params, PasswordHasher};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::domain::secrets::Opaque;
use shared::state::{AppState, Auth, Mailer};
use shared::store::database;
use shared::store::mail_tokens::{self, Purpose};
use tests::Stack;
use tests::client::Client;
use tests::shop::eventually;
use tests::state::{Changed, NOWHERE};
use uuid::Uuid;

use super::{PASSWORD, ask, ask_whole, id_of, login, me, post, register};

const EMAIL: &str = "ada@example.com";
const ANOTHER: &str = "violet-anvil-harbour";

/// A token as the mailer makes it.
async fn mailed_token(state: &AppState<Auth>, purpose: Purpose) -> String {
    let token = Opaque::generate().unwrap();
    let id = id_of(state, EMAIL).await;
    // Only the mailer may keep one.
    let mailer = Changed::new()
        .on_the_database_of(state)
        .state::<Mailer>()
        .await;
    let mut tx = mailer.database.begin().await.unwrap();
    let added = mail_tokens::add(&mut tx, id, (purpose, &token.digest())).await;
    added.unwrap();
    database::commit(tx).await.unwrap();
    token.to_text()
}

async fn reset(router: &axum::Router, token: &str, password: &str) -> (StatusCode, Value) {
    let body = json!({"token": token, "password": password});
    post(router, "password/reset", body).await
}

async fn sign_in(router: &axum::Router, password: &str) -> StatusCode {
    let body = json!({"email": EMAIL, "password": password});
    post(router, "login", body).await.0
}

#[track_caller]
fn refused((status, problem): (StatusCode, Value), pointer: &str) {
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], pointer);
}

/// The types of an account's events, oldest first.
async fn events(state: &AppState<Auth>, account: Uuid) -> Vec<String> {
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query_scalar("select type from outbox where aggregate_id = $1 order by sequence")
        .bind(account)
        .fetch_all(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn mailed_token_resets_the_password_once_and_ends_every_session() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let token = mailed_token(&state, Purpose::ResetPassword).await;
    let later = mailed_token(&state, Purpose::ResetPassword).await;
    assert_eq!(
        reset(&router, &token, ANOTHER).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(me(&router, &pair).await.0, StatusCode::UNAUTHORIZED);
    let given = json!({"refresh_token": pair["refresh_token"]});
    assert_eq!(
        post(&router, "refresh", given).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&router, ANOTHER).await, StatusCode::OK);
    // Neither the token again nor another one that was mailed before.
    for token in [token, later] {
        refused(reset(&router, &token, PASSWORD).await, "/token");
    }
    let told = events(&state, id_of(&state, EMAIL).await).await;
    assert_eq!(told, ["account_registered", "password_changed"]);
}

#[tokio::test]
async fn token_used_by_two_at_once_is_good_for_one() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let token = mailed_token(&state, Purpose::ResetPassword).await;
    let resets = (0..4).map(|_| reset(&router, &token, ANOTHER));
    let answers = futures::future::join_all(resets).await;
    let good = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::NO_CONTENT);
    assert_eq!(good.count(), 1, "{answers:?}");
}

#[tokio::test]
async fn token_for_something_else_or_too_old_resets_nothing() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let verification = mailed_token(&state, Purpose::VerifyEmail).await;
    refused(reset(&router, &verification, ANOTHER).await, "/token");
    let token = mailed_token(&state, Purpose::ResetPassword).await;
    refused(
        post(&router, "verify-email", json!({"token": token})).await,
        "/token",
    );
    let id = id_of(&state, EMAIL).await;
    super::execute(
        &state,
        "update mail_tokens set expires_at = expires_at - interval '1 hour' where user_id = $1",
        id,
    )
    .await;
    let unknown = Opaque::generate().unwrap().to_text();
    for token in [&token, &unknown, "token", ""] {
        refused(reset(&router, token, ANOTHER).await, "/token");
    }
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::OK);
}

#[tokio::test]
async fn password_that_will_not_do_leaves_the_token_good() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let token = mailed_token(&state, Purpose::ResetPassword).await;
    for password in ["short", "password1", "ada@example.com!"] {
        refused(reset(&router, &token, password).await, "/password");
    }
    let reset = reset(&router, &token, ANOTHER).await;
    assert_eq!(reset.0, StatusCode::NO_CONTENT);
    let (_, profile) = me(&router, &{
        let body = json!({"email": EMAIL, "password": ANOTHER});
        post(&router, "login", body).await.1
    })
    .await;
    assert_eq!(profile["email_verified"], true, "its owner has the mail");
}

#[tokio::test]
async fn password_is_changed_by_whoever_knows_it() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let mailed = mailed_token(&state, Purpose::ResetPassword).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        let path = "/api/v1/auth/password/change";
        let token = pair["access_token"].as_str();
        ask(&router, (Method::POST, path, token, body)).await
    };
    let (status, problem) = change("another", ANOTHER).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["type"], "/problems/invalid-credentials");
    for password in ["short", "password1", "ada@example.com!"] {
        refused(change(PASSWORD, password).await, "/new_password");
    }
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::OK);
    assert_eq!(change(PASSWORD, ANOTHER).await.0, StatusCode::NO_CONTENT);
    assert_eq!(me(&router, &pair).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&router, ANOTHER).await, StatusCode::OK);
    refused(reset(&router, &mailed, PASSWORD).await, "/token");
    let told = events(&state, id_of(&state, EMAIL).await).await;
    assert_eq!(told, ["account_registered", "password_changed"]);
}

#[tokio::test]
async fn session_ends_also_when_its_store_could_not_be_told() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let pair = login(&router, EMAIL).await;
    let token = mailed_token(&state, Purpose::ResetPassword).await;
    let away = Changed::new()
        .on_the_database_of(&state)
        .at("DynamoDB", NOWHERE)
        .state::<Auth>()
        .await;
    let body = json!({"token": token, "password": ANOTHER});
    let asked = (Method::POST, "/auth/password/reset", None, body);
    let answer = ask_whole(&auth::router(away), asked).await.expect(204);
    assert_eq!(answer.header("x-degraded"), "sessions");
    // The access token is good until it expires, and cannot be replaced.
    assert_eq!(me(&router, &pair).await.0, StatusCode::OK);
    let given = json!({"refresh_token": pair["refresh_token"]});
    for _ in 0..2 {
        let refreshed = post(&router, "refresh", given.clone()).await;
        assert_eq!(refreshed.0, StatusCode::UNAUTHORIZED);
    }
    let again = json!({"email": EMAIL, "password": ANOTHER});
    let again = post(&router, "login", again).await.1;
    let given = json!({"refresh_token": again["refresh_token"]});
    assert_eq!(post(&router, "refresh", given).await.0, StatusCode::OK);
}

#[tokio::test]
async fn hash_of_less_work_is_replaced_at_the_next_sign_in() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, EMAIL).await;
    let hash = async || {
        let mut tx = state.database.begin().await.unwrap();
        sqlx::query_scalar::<_, String>("select password_hash from users where email_key = $1")
            .bind(EMAIL)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
    };
    let usual = hash().await;
    let weaker = Argon2::from(Params::new(8 * 1024, 1, 1, None).unwrap());
    let weaker = weaker
        .hash_password(PASSWORD.as_bytes())
        .unwrap()
        .to_string();
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query("update users set password_hash = $1")
        .bind(&weaker)
        .execute(&mut *tx)
        .await
        .unwrap();
    database::commit(tx).await.unwrap();
    assert_eq!(sign_in(&router, "another").await, StatusCode::UNAUTHORIZED);
    assert_eq!(hash().await, weaker);
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::OK);
    let parameters = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
    let renewed = hash().await;
    assert_eq!(parameters(&renewed), parameters(&usual));
    assert_eq!(sign_in(&router, PASSWORD).await, StatusCode::OK);
    assert_eq!(hash().await, renewed, "once is enough");
}

/// What a customer does who forgot their password, with the deployed functions.
#[tokio::test]
async fn forgotten_password_is_replaced_by_mail() {
    let stack = Stack::running();
    let email = format!("{}@example.com", Uuid::new_v4().simple());
    let visitor = Client::anonymous(&stack.api_url);
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    let _ = visitor.post("/auth/register", body).await.expect(202);
    let ada = Client::signed_in(&stack.api_url, &email, PASSWORD).await;
    let sent = visitor.post(
        "/auth/password/forgot",
        json!({"email": email.to_uppercase()}),
    );
    assert_eq!(sent.await.expect(202).body, json!({"status": "reset_sent"}));
    let mail = async |part: &'static str| {
        eventually(part, async || {
            let mails = stack.ses_mails_to(&email).await;
            mails
                .iter()
                .map(ToString::to_string)
                .find(|mail| mail.contains(part))
        })
        .await
    };
    let text = mail("/reset-password?token=").await;
    let (_, token) = text.split_once("/reset-password?token=").unwrap();
    let body = json!({"token": &token[..43], "password": ANOTHER});
    let _ = visitor.post("/auth/password/reset", body).await.expect(204);
    let _ = Client::signed_in(&stack.api_url, &email, ANOTHER).await;
    mail("Your password was changed").await;
    // Every environment reads the cut-off again within half a minute.
    eventually("the old access token is refused", async || {
        (ada.get("/auth/me").await.status == 401).then_some(())
    })
    .await;
}
