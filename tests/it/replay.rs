//! Every sample of a request, through the router that it is for: it meets a route, and the answer
//! is one of those that the contract promises.
//!
//! The samples' tokens are signed by nobody, so what needs a caller answers 401; whole flows show
//! the rest.

use crate::tidy::{files_under, read};
use axum::Router;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use shared::state::{AppState, Parts};

const SIGNED_BY_NOBODY: u16 = 401;

#[tokio::test]
async fn every_sample_of_auth_is_answered_as_documented() {
    replay_all("auth", auth::router).await;
}

#[tokio::test]
async fn every_sample_of_products_is_answered_as_documented() {
    replay_all("products", products::router).await;
}

#[tokio::test]
async fn every_sample_of_checkout_is_answered_as_documented() {
    replay_all("checkout", checkout::router).await;
}

#[tokio::test]
async fn every_sample_of_ops_is_answered_as_documented() {
    replay_all("ops", ops::router).await;
}

async fn replay_all<P: Parts>(function: &str, router: impl Fn(AppState<P>) -> Router) {
    let router = router(tests::state().await);
    let contract: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let begin = format!("events/{function}-");
    let samples: Vec<String> = files_under("events")
        .into_iter()
        .filter(|path| path.starts_with(&begin))
        .collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let event: Value = serde_json::from_str(&read(&sample)).unwrap();
        let answer =
            crate::offline::replay(router.clone(), sample.trim_start_matches("events/")).await;
        let status = answer.status().as_u16();
        let promised = match documented(&contract, &event) {
            Some(responses) => responses.contains_key(&status.to_string()),
            // What no function has is absent.
            None => status == 404,
        };
        let secured = event["headers"]["authorization"].is_string() && status == SIGNED_BY_NOBODY;
        assert!(promised || secured, "{sample}: {status} is not documented");
        let content_type = answer
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap());
        if status >= 400 {
            assert_eq!(content_type, Some("application/problem+json"), "{sample}");
        }
        assert!(status < 500, "{sample}: {status}");
    }
}

/// The documented responses of the operation that a request is for.
fn documented<'a>(
    contract: &'a Value,
    event: &Value,
) -> Option<&'a serde_json::Map<String, Value>> {
    let path = event["rawPath"].as_str()?;
    let method = event["requestContext"]["http"]["method"]
        .as_str()?
        .to_lowercase();
    let templates = contract["paths"].as_object()?;
    let mut meeting: Vec<&String> = templates
        .keys()
        .filter(|template| meets(template, path))
        .collect();
    // `/orders/search` before `/orders/{id}`.
    meeting.sort_by_key(|template| template.matches('{').count());
    templates[*meeting.first()?][&method]["responses"].as_object()
}

fn meets(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(part, given)| part == given || part.starts_with('{'))
}

#[test]
fn a_template_meets_paths_of_its_length() {
    assert!(meets("/a/{id}/b", "/a/1/b") && !meets("/a/{id}", "/a/1/b") && !meets("/a/b", "/a/c"));
}
