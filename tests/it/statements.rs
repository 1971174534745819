//! Every statement of the store fits the schema.

use crate::tidy::source::{Source, Text, sources};
use crate::tidy::{Finding, none};
use sqlx::{ConnectOptions, Executor};
use tests::TestDatabase;

/// What takes a statement as its first argument.
const CALLS: &[&str] = &[
    "query",
    "query_as",
    "query_scalar",
    "execute",
    "fetch_one",
    "fetch_optional",
    "fetch_all",
    "prepare",
];

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let database = TestDatabase::create().await;
    let mut connection = database.options().connect().await.unwrap();
    let mut findings = Vec::new();
    let mut prepared = 0;
    for source in sources("shared/src/store") {
        for statement in statements(&source) {
            prepared += 1;
            if let Err(error) = connection.prepare(&statement.value).await {
                findings.push(Finding::at(
                    &source.path,
                    source.line(statement.offset),
                    error.to_string(),
                ));
            }
        }
    }
    none(findings);
    assert!(prepared > 50, "only {prepared} statements were found");
}

#[test]
fn every_statement_is_a_literal() {
    let mut findings = Vec::new();
    for source in sources("shared/src/store") {
        for offset in arguments(&source, &["query", "query_as", "query_scalar"]) {
            if source.text_at(offset).is_none() {
                findings.push(Finding::at(
                    &source.path,
                    source.line(offset),
                    "a statement is a literal, so that a test can prepare it",
                ));
            }
        }
        for word in ["QueryBuilder", "raw_sql", "AssertSqlSafe"] {
            findings.extend(source.find(word).into_iter().map(|at| {
                Finding::at(
                    &source.path,
                    source.line(at),
                    format!("`{word}` makes statements that no test prepares"),
                )
            }));
        }
    }
    none(findings);
}

/// The statements of a file, tests left out.
pub(crate) fn statements(source: &Source) -> Vec<&Text> {
    arguments(source, CALLS)
        .into_iter()
        .filter_map(|offset| source.text_at(offset))
        .collect()
}

/// Where the first arguments of calls begin.
fn arguments(source: &Source, calls: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    for call in calls {
        for at in source.find(call) {
            let after = skip_type(&source.code, at + call.len());
            let Some(rest) = source.code[after..].strip_prefix('(') else {
                continue;
            };
            let space = rest.len() - rest.trim_start().len();
            // `fn execute(` and the raw text, whose quotes are blanked.
            let declared = source.code[..at].ends_with("fn ");
            if !declared {
                found.push(first_byte(source, after + 1, space));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Raw texts are blank in the code: the argument then begins where one is known to begin.
fn first_byte(source: &Source, begin: usize, space: usize) -> usize {
    let known = source
        .texts
        .iter()
        .map(|text| text.offset)
        .find(|offset| (begin..=begin + space).contains(offset));
    known.unwrap_or(begin + space)
}

/// Steps over `::<_, Row>`.
fn skip_type(code: &str, at: usize) -> usize {
    let Some(rest) = code[at..].strip_prefix("::<") else {
        return at;
    };
    let mut depth = 1;
    let end = rest.find(|next| {
        depth += i32::from(next == '<') - i32::from(next == '>');
        depth == 0
    });
    at + 3 + end.unwrap_or(0) + 1
}

#[test]
fn statements_are_found_in_every_spelling() {
    let text = "sqlx::query(\n  \"select 1\",\n)\nsqlx::query_as::<_, (i64, Option<i64>)>(\"select 2\")\nsqlx::query_scalar(r#\"select 3\"#)\nfetch_one(&pool)";
    let source = Source::cut("a.rs", text);
    let found: Vec<&str> = statements(&source)
        .into_iter()
        .map(|text| text.value.as_str())
        .collect();
    assert_eq!(found, ["select 1", "select 2", "select 3"]);
    assert_eq!(source.line(statements(&source)[0].offset), 2);
}
