//! Every operation as every caller, on the deployed stack.

use std::collections::BTreeSet;

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::Value;
use tests::client::{Answer, read};
use tests::contract::{Contract, Operation};
use tests::shop::new_key;
use uuid::Uuid;

use super::bodies::with_nul;
use super::scene::{Names, Scene, Thing, Who};
use super::table::{LETTERS, Row, TABLE};

/// How many rows are tried at once.
const AT_ONCE: usize = 6;

#[test]
fn every_operation_of_the_contract_has_a_row_and_every_row_an_operation() {
    let known: BTreeSet<String> = operations().iter().map(Operation::name).collect();
    let rows: BTreeSet<String> = TABLE
        .iter()
        .map(|row| without_query(row.0).to_owned())
        .collect();
    let missing: Vec<_> = known.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "no row of tests/it/security/table.rs: {missing:?}"
    );
    let surplus: Vec<_> = rows.difference(&known).collect();
    assert!(surplus.is_empty(), "rows without an operation: {surplus:?}");
    for (operation, _, _, letters) in TABLE {
        let letters: Vec<&str> = letters.split(' ').collect();
        assert_eq!(letters.len(), Who::ALL.len(), "{operation}");
        let is_known = |letter: &&str| {
            LETTERS
                .iter()
                .any(|(known, _)| **letter == known.to_string())
        };
        assert!(letters.iter().all(is_known), "{operation}: {letters:?}");
    }
}

#[tokio::test]
async fn every_caller_is_answered_as_the_table_says() {
    let scene = Scene::set().await;
    let operations = operations();
    let rows = futures::stream::iter(TABLE).map(|row| {
        let operation = operations
            .iter()
            .find(|one| one.name() == without_query(row.0));
        try_row(&scene, operation.unwrap(), row)
    });
    let findings: Vec<String> = rows.buffer_unordered(AT_ONCE).concat().await;
    assert!(
        findings.is_empty(),
        "\n{}\n{LETTERS:?}",
        findings.join("\n")
    );
}

fn operations() -> Vec<Operation> {
    Contract::committed().operations()
}

fn without_query(name: &str) -> &str {
    name.split_once('?').map_or(name, |(name, _)| name)
}

/// What is not as the row says, if anything.
async fn try_row(scene: &Scene, operation: &Operation, row: &Row) -> Vec<String> {
    let (name, thing, body, expected) = *row;
    // Whoever is refused changes nothing, so one thing will do for all of them.
    let shared = scene.make(thing).await;
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for (who, expected) in Who::ALL.into_iter().zip(expected.split(' ')) {
        let attempt = Attempt {
            who,
            operation,
            row,
            body,
        };
        let names = if expected == "+" {
            scene.make(thing).await
        } else {
            shared.clone()
        };
        let answer = attempt.on(scene, &names).await;
        seen.push(letter(&answer));
        if expected == "N" {
            let missing = attempt.on(scene, &absent(&names)).await;
            if shape(&missing) != shape(&answer) {
                let (foreign, none) = (shape(&answer), shape(&missing));
                findings.push(format!(
                    "{name}, {thing:?}, {who:?}: foreign {foreign:?}, missing {none:?}"
                ));
            }
        }
    }
    if seen.join(" ") != expected {
        findings.push(format!(
            "{name}, {thing:?}\n  expected {expected}\n  seen     {}",
            seen.join(" ")
        ));
    }
    findings
}

/// Somebody tries an operation.
struct Attempt<'a> {
    who: Who,
    operation: &'a Operation,
    row: &'a Row,
    body: &'a str,
}

impl Attempt<'_> {
    async fn on(&self, scene: &Scene, names: &Names) -> Answer {
        let (name, thing, ..) = *self.row;
        let path = name.split_once(' ').unwrap().1;
        let fill = |path: String, (name, value): (&&str, &String)| {
            path.replace(&format!("{{{name}}}"), value)
        };
        let path = names.iter().fold(path.to_owned(), fill);
        assert!(!path.contains('{'), "{name}: nothing is known for {path}");
        let method = &self.operation.method;
        let mut request = match thing {
            Thing::Caller => scene.newcomers_request(self.who, method, &path).await,
            _ => scene.request(self.who, method, &path),
        };
        for (header, value) in [("idempotency-key", new_key()), ("if-match", "*".to_owned())] {
            if self.operation.takes_header(header) {
                request = request.header(header, value);
            }
        }
        if !self.body.is_empty() {
            let mut body = self.body.to_owned();
            if body.contains("OWN_CART") {
                body = body.replace("OWN_CART", &scene.own_cart(self.who).await);
            }
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        read(request).await
    }
}

/// Texts that a database cannot hold, where the thing that they are about is there.
#[tokio::test]
async fn nul_in_any_text_is_no_defect() {
    let scene = Scene::set().await;
    let operations = operations();
    let mut tried = 0;
    for row in TABLE
        .iter()
        .filter(|row| row.1 != Thing::Nothing && row.2.contains(':'))
    {
        let operation = operations.iter().find(|one| one.name() == row.0).unwrap();
        let letters = row.3.split(' ');
        let may = Who::ALL
            .into_iter()
            .zip(letters)
            .filter(|(_, letter)| "+!".contains(letter));
        // Of a dead letter there is only one that is not there.
        let Some((who, _)) = may.last() else {
            continue;
        };
        for (pointer, body) in with_nul(&serde_json::from_str(row.2).unwrap()) {
            let body = &body.to_string();
            let names = scene.make(row.1).await;
            let answer = Attempt {
                who,
                operation,
                row,
                body,
            }
            .on(&scene, &names)
            .await;
            assert!(
                answer.status.is_client_error(),
                "{}, {pointer}: {answer:?}",
                row.0
            );
            tried += 1;
        }
    }
    assert!(tried > 10, "only {tried} texts");
}

/// The same names, of things that are not there.
fn absent(names: &Names) -> Names {
    let absent = |value: &String| match Uuid::try_parse(value) {
        Ok(_) => Uuid::new_v4().to_string(),
        Err(_) => value.clone(),
    };
    names
        .iter()
        .map(|(name, value)| (*name, absent(value)))
        .collect()
}

/// Everything that a caller learns, but what names the request.
fn shape(answer: &Answer) -> (StatusCode, Value) {
    let mut body = answer.body.clone();
    if let Some(problem) = body.as_object_mut() {
        problem.remove("instance");
    }
    (answer.status, body)
}

fn letter(answer: &Answer) -> String {
    let letter = match (answer.status.as_u16(), answer.problem()) {
        (200..400, _) => "+",
        (400 | 402 | 409 | 412 | 415 | 422 | 428, _) => "!",
        (401, "unauthorized") => "U",
        (403, "forbidden") => "F",
        (403, "step-up-required") => "S",
        (404, "not-found") => "N",
        (status, problem) => return format!("{status}:{problem}"),
    };
    letter.to_owned()
}
