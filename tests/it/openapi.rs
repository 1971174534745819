//! The contract: committed as the code says it, and complete.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use serde_json::Value;
use tests::contract::{Contract, ID, Operation};
use tests::openapi::{COMMAND, PATH, functions, text};
use tower::ServiceExt;

use crate::offline::{NOWHERE, state};

/// `cargo holdfast openapi` sets it: the contract is written by the binary that holds it, because
/// another one would compile everything once more.
const WRITE: &str = "HOLDFAST_WRITE_OPENAPI";

fn contract() -> Value {
    serde_json::from_str(&text().unwrap()).unwrap()
}

fn operations(document: &Value) -> Vec<Operation> {
    Contract::of(document.clone()).operations()
}

#[test]
fn committed_contract_is_what_the_code_says() {
    let generated = text().unwrap();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PATH, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(PATH).unwrap();
    let differs = committed
        .lines()
        .zip(generated.lines())
        .position(|(committed, generated)| committed != generated);
    assert!(
        committed == generated,
        "docs/openapi.json is not what the code says, from line {} on: run `{COMMAND}`",
        differs.unwrap_or_else(|| committed.lines().count().min(generated.lines().count())) + 1,
    );
}

#[test]
fn no_function_takes_an_operation_of_another() {
    let mut seen = BTreeSet::new();
    for (function, part) in functions() {
        let part = serde_json::to_value(part).unwrap();
        for operation in operations(&part) {
            assert!(
                seen.insert(operation.name()),
                "{function}: {}",
                operation.name()
            );
        }
    }
    assert_eq!(seen.len(), operations(&contract()).len());
}

#[test]
fn every_operation_is_described() {
    let contract = contract();
    let tags: BTreeSet<&str> = contract["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for operation in operations(&contract) {
        let (name, spec) = (operation.name(), &operation.spec);
        let id = spec["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{name}: its operationId is taken");
        let summary = spec["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{name} has no summary");
        let [tag] = spec["tags"].as_array().unwrap().as_slice() else {
            panic!("{name} must have one tag")
        };
        let tag = tag.as_str().unwrap();
        assert!(
            tags.contains(tag),
            "{name}: {tag} is not in tests/openapi.rs"
        );
    }
}

#[test]
fn every_operation_says_how_it_succeeds_and_fails() {
    for operation in operations(&contract()) {
        let name = operation.name();
        let responses = operation.responses();
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{name} never succeeds"
        );
        let stated = responses.iter().filter(|(status, _)| *status != "default");
        let problems = stated.filter(|(_, response)| {
            response["content"]
                .get("application/problem+json")
                .is_some()
        });
        assert!(problems.count() > 0, "{name} never fails with a problem");
        if operation.demands_token() {
            assert!(responses.contains_key("401"), "{name} does not say 401");
        }
        if operation.takes_header("idempotency-key") {
            assert!(responses.contains_key("409"), "{name} does not say 409");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(node: &Value, document: &Value) {
        match node {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(
                        document.pointer(pointer).is_some(),
                        "{reference} leads nowhere"
                    );
                }
                members.values().for_each(|member| walk(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            _ => {}
        }
    }
    let contract = contract();
    walk(&contract, &contract);
}

/// Handlers' own words: an extractor in the signature is what demands it.
#[test]
fn what_extractors_demand_is_declared() {
    let contract = contract();
    let operations = operations(&contract);
    let mut handlers_seen = 0;
    for function in ["auth", "products", "checkout", "ops"] {
        for (handler, signature) in handlers(function) {
            let operation = operations
                .iter()
                .find(|one| one.spec["operationId"] == *handler);
            let operation = operation.unwrap_or_else(|| panic!("{handler} is in no router"));
            handlers_seen += 1;
            let takes = |type_: &str| {
                signature
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == type_)
            };
            let signed_in = ["User", "Seller", "Admin", "SteppedUp"]
                .into_iter()
                .any(takes);
            assert_eq!(
                operation.demands_token(),
                signed_in,
                "{handler}: security(…) and its extractors differ"
            );
            for (type_, header) in [
                ("IdempotencyKey", "idempotency-key"),
                ("IfMatch", "if-match"),
            ] {
                assert_eq!(
                    operation.takes_header(header),
                    takes(type_),
                    "{handler}: {header}"
                );
            }
        }
    }
    assert_eq!(handlers_seen, operations.len());
}

/// The documented handlers of a function: name, and the signature's parameters.
fn handlers(function: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../functions")
        .join(function)
        .join("src");
    let mut handlers = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                for block in source.split("#[utoipa::path(").skip(1) {
                    let (_, rest) = block.split_once("fn ").unwrap();
                    let (name, rest) = rest.split_once('(').unwrap();
                    let (parameters, _) = rest.split_once(") -> ").unwrap();
                    handlers.push((name.to_owned(), parameters.to_owned()));
                }
            }
        }
    }
    handlers
}

#[tokio::test]
async fn operation_that_demands_a_token_refuses_without_one() {
    let routers = [
        ("auth", auth::router(state(NOWHERE, &[]))),
        ("products", products::router(state(NOWHERE, &[]))),
        ("checkout", checkout::router(state(NOWHERE, &[]))),
        ("ops", ops::router(state(NOWHERE, &[]))),
    ];
    for ((function, router), (_, part)) in routers.into_iter().zip(functions()) {
        let part = serde_json::to_value(part).unwrap();
        for operation in operations(&part).iter().filter(|one| one.demands_token()) {
            let response = router
                .clone()
                .oneshot(without_token(operation))
                .await
                .unwrap();
            assert_eq!(response.status(), 401, "{function}: {}", operation.name());
            let content_type = response.headers()["content-type"].to_str().unwrap();
            assert_eq!(content_type, "application/problem+json");
        }
    }
}

fn without_token(operation: &Operation) -> Request {
    Request::builder()
        .method(operation.method.as_str())
        .uri(operation.filled(ID))
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap()
}
