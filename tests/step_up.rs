//! The admin after showing a second factor. A code is good once, so all tests of a
//! run, each in its process, share one token: in a file beside the stack's status.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::totp::TotpSecret;
use time::OffsetDateTime;

use crate::client::Client;
use crate::{Account, Stack};

/// A token with less left is not passed on: a test must be able to finish with it.
const LEFT_MIN: time::Duration = time::Duration::minutes(5);

#[derive(Serialize, Deserialize)]
struct Shared {
    /// Whose token it is: each stack has a password of its own.
    password: String,
    token: String,
    until: i64,
}

/// The stack's admin, who may do what needs a second factor.
///
/// # Panics
/// When the admin cannot sign in or no code is taken.
pub async fn admin(stack: &Stack) -> Client {
    let account = &stack.accounts.admin;
    let path = std::env::var(crate::stack::VARIABLE).unwrap() + ".step-up";
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    // Whoever comes second waits for the first one's token.
    file.lock().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let enough = (OffsetDateTime::now_utc() + LEFT_MIN).unix_timestamp();
    let shared = serde_json::from_str::<Shared>(&text).ok();
    let shared = shared.filter(|it| it.password == account.password && it.until > enough);
    if let Some(shared) = shared {
        let client = Client::anonymous(&stack.api_url).with_token(&shared.token);
        // A test that ends sessions or revokes keys may have ended it.
        if client.get("/auth/me").await.status == 200 {
            return client;
        }
    }
    let client = Client::signed_in(&stack.api_url, &account.email, &account.password).await;
    let token = token(&client, account).await;
    let shared = Shared {
        password: account.password.clone(),
        token: token.clone(),
        until: (OffsetDateTime::now_utc() + time::Duration::minutes(15)).unix_timestamp(),
    };
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(json!(shared).to_string().as_bytes())
        .unwrap();
    Client::anonymous(&stack.api_url).with_token(&token)
}

/// An access token of after a second factor.
///
/// # Panics
/// When no code is taken within a minute.
pub async fn token(client: &Client, account: &Account) -> String {
    for _ in 0..60 {
        for seconds in [0, 30, -30] {
            let at = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
            let body = json!({"code": code(account, at)});
            let answer = client.post("/auth/step-up", body).await;
            if answer.status != 401 {
                let token = answer.expect(200).body["access_token"].clone();
                return token.as_str().unwrap().to_owned();
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no code was taken");
}

/// The code of an account's second factor at a moment.
///
/// # Panics
/// It has none.
pub fn code(account: &Account, at: OffsetDateTime) -> String {
    let secret = TotpSecret::from_text(account.totp_secret.as_deref().unwrap()).unwrap();
    secret.code(at)
}
