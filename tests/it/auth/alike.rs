//! What strangers cannot tell: whether an address has an account.

use http::Method;
use serde_json::{Value, json};
use shared::state::{AppState, Auth};
use tests::client::Answer;

use super::{PASSWORD, ask_whole, id_of, register};

const KNOWN: &str = "ada@example.com";
const UNKNOWN: &str = "nobody@example.com";

/// Everything of an answer but what names the request and the time.
fn shape(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let differs = ["x-request-id", "ratelimit"];
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !differs.contains(&name.as_str()));
    let mut headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let mut body = answer.body.clone();
    if let Some(problem) = body.as_object_mut() {
        problem.remove("instance");
    }
    (answer.status.as_u16(), headers, body)
}

/// How many rows each table has that a request about an address writes to.
async fn written(state: &AppState<Auth>) -> Vec<i64> {
    let mut tx = state.database.begin().await.unwrap();
    let counts: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from outbox), (select count(*) from aggregates),
             (select count(*) from aggregate_queues)",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    vec![counts.0, counts.1, counts.2]
}

#[tokio::test]
async fn known_and_unknown_addresses_are_answered_and_worked_for_alike() {
    let state = tests::state::<Auth>().await;
    let router = auth::router(state.clone());
    register(&router, KNOWN).await;
    for (path, extra) in [
        ("/auth/password/forgot", json!({})),
        ("/auth/verify-email/resend", json!({})),
        ("/auth/login", json!({"password": "another"})),
        (
            "/auth/register",
            json!({"password": PASSWORD, "name": "Eve"}),
        ),
    ] {
        let ask = async |email: &str| {
            let mut body = extra.clone();
            body["email"] = json!(email);
            let before = written(&state).await;
            let answer = ask_whole(&router, (Method::POST, path, None, body)).await;
            let after = written(&state).await;
            let rows = before
                .iter()
                .zip(after)
                .map(|(before, after)| after - before);
            (shape(&answer), rows.collect::<Vec<_>>())
        };
        // The first mail to an account begins its aggregate, so the account has had one.
        let (known, unknown) = (ask(KNOWN).await, ask(UNKNOWN).await);
        assert_eq!(known.0, unknown.0, "{path}");
        assert_eq!(known.1[0], unknown.1[0], "{path}: events");
    }
}

#[tokio::test]
async fn one_address_gets_a_few_mails_an_hour_and_strangers_are_not_told() {
    let state = tests::state::<Auth>().await;
    let mut config = state.config.clone();
    // A quarter of it: two mails.
    config.edge.allowance.per_address = 8;
    let limited = AppState::<Auth>::build(config).await;
    while !limited.limits.warm_up().await {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let router = auth::router(limited);
    let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
    register(&auth::router(state.clone()), &email).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let body = json!({"email": email});
        let asked = (Method::POST, "/auth/password/forgot", None, body);
        answers.push(shape(&ask_whole(&router, asked).await));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    let account = id_of(&state, &email).await;
    let mut tx = state.database.begin().await.unwrap();
    let (ours, all): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where aggregate_id = $1), count(*) from outbox
         where type = 'password_reset_requested'",
    )
    .bind(account)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!((ours, all), (2, 4));
}
