//! The warmer among the deployed functions: whom it spares a cold start, as their log lines say.

use futures::future::join_all;
use local::process::{self, Signal, environments_of};
use local::stack::STAGE;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tests::Stack;
use tests::client::{Client, read};
use tests::shop::{eventually, new_key};
use tests::traces::log_lines;
use time::OffsetDateTime;
use warmer::Warmed;

/// Functions, and a route of each. A refusal is an answer too.
const ROUTES: [(&str, &str); 4] = [
    ("auth", "/auth/me"),
    ("products", "/products"),
    ("checkout", "/orders"),
    ("ops", "/health"),
];

/// As Lambda takes away environments that were idle.
async fn end_environments_of(functions: &[&str]) {
    let stack = tests::stack::local();
    eventually("no environment is left", async || {
        let all = functions.iter();
        let left: Vec<u32> = all
            .flat_map(|function| environments_of(&stack, function))
            .collect();
        left.iter()
            .for_each(|pid| process::send(*pid, Signal::Kill));
        left.is_empty().then_some(())
    })
    .await;
}

/// Invokes the warmer, once a run that its schedule began is over.
async fn warm(stack: &Stack) -> Vec<Warmed> {
    let path = format!("/2015-03-31/functions/holdfast-{STAGE}-warmer/invocations");
    let answer = eventually("the warmer's answer", async || {
        let request = stack.aws("lambda", Method::POST, &path).body("{}");
        let answer = read(request).await;
        (answer.status != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    });
    serde_json::from_slice(&answer.await.expect(200).bytes).unwrap()
}

/// Sends so many requests at once, and answers their ids.
async fn ask(client: &Client, path: &str, at_once: usize) -> Vec<String> {
    let ids: Vec<String> = (0..at_once).map(|_| new_key()).collect();
    let request = |id: &String| client.request(Method::GET, path).header("x-request-id", id);
    join_all(ids.iter().map(|id| read(request(id)))).await;
    ids
}

/// For each of so many requests at once, whether it met a cold start.
async fn met_cold_starts(stack: &Stack, function: &str, path: &str, at_once: usize) -> Vec<bool> {
    let client = Client::anonymous(&stack.api_url);
    let since = OffsetDateTime::now_utc();
    let ids = ask(&client, path, at_once).await;
    let group = format!("/aws/lambda/holdfast-{STAGE}-{function}");
    eventually("the requests' log lines", async || {
        let lines = log_lines(stack, &group, since).await;
        let lines = lines.lines();
        let lines: Vec<Value> = lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let met = |id: &String| {
            let line = lines.iter().find(|line| line["request.id"] == *id)?;
            line["cold_start"].as_bool()
        };
        let met: Option<Vec<bool>> = ids.iter().map(met).collect();
        if met.is_none() {
            // The emulator takes an environment's lines when it answers: a late one comes with
            // the next answer.
            ask(&client, path, at_once).await;
        }
        met
    })
    .await
}

#[tokio::test]
async fn as_many_at_once_as_the_warmer_keeps_meet_no_cold_start() {
    let stack = Stack::alone();
    end_environments_of(&ROUTES.map(|(function, _)| function)).await;
    let warmed = warm(&stack).await;
    assert_eq!(warmed.len(), ROUTES.len(), "{warmed:?}");
    for (function, path) in ROUTES {
        let name = format!("holdfast-{STAGE}-{function}:live");
        let kept = warmed.iter().find(|warmed| warmed.function == name);
        let kept = kept.unwrap_or_else(|| panic!("{function} is not kept warm: {warmed:?}"));
        assert!(kept.asked > 0 && kept.answered == kept.asked, "{kept:?}");
        let met = met_cold_starts(&stack, function, path, kept.asked).await;
        assert_eq!(met, vec![false; kept.asked], "{function}");
    }
}

#[tokio::test]
async fn first_request_after_all_environments_ended_meets_a_cold_start_and_the_next_does_not() {
    let stack = Stack::alone();
    let met = async || met_cold_starts(&stack, "ops", "/health", 1).await;
    // Once more if the schedule has warmed it in between.
    eventually("a cold start", async || {
        end_environments_of(&["ops"]).await;
        (met().await == [true]).then_some(())
    })
    .await;
    assert_eq!(met().await, [false]);
}
