//! Every function's role may run the statements that the function can reach.
//!
//! What a function reaches is read off the source, by name: `module::function(` is followed to the
//! files of `shared` that are called `module` and define `function`. Methods are not followed, so
//! this finds most missing grants, and never invents one.

use crate::statements::statements;
use crate::tidy::source::{Source, sources};
use crate::tidy::{Finding, functions, none};
use sqlx::{Connection, Executor, PgConnection};
use std::collections::BTreeSet;
use std::ops::Range;
use tests::TestDatabase;

/// PostgreSQL's code for a missing grant.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test]
async fn every_role_may_run_what_its_function_reaches() {
    let database = TestDatabase::create().await;
    let code = Code::read();
    let mut findings = Vec::new();
    let mut tried = 0;
    for function in functions() {
        let reached = code.reached_from(&function);
        if reached.is_empty() {
            continue;
        }
        let mut connection = database.connect_as(&function.replace('-', "_")).await;
        for (file, offset, statement) in reached {
            tried += 1;
            if let Some(words) = refusal(&mut connection, statement).await {
                let source = &code.sources[file];
                findings.push(Finding::at(
                    &source.path,
                    source.line(offset),
                    format!("`{function}`: {words}"),
                ));
            }
        }
        connection.close().await.unwrap();
    }
    none(findings);
    assert!(tried > 50, "only {tried} statements were reached");
}

/// Explaining a statement asks for the same rights as running it, and changes nothing.
async fn refusal(connection: &mut PgConnection, statement: &str) -> Option<String> {
    connection
        .execute(format!("prepare tried as {statement}").as_str())
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    let count: i32 = sqlx::query_scalar("select coalesce(cardinality(parameter_types), 0) from pg_prepared_statements where name = 'tried'")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let nulls = vec!["null"; usize::try_from(count).unwrap()].join(", ");
    let arguments = if nulls.is_empty() {
        nulls
    } else {
        format!("({nulls})")
    };
    let outcome = connection
        .execute(format!("explain execute tried{arguments}").as_str())
        .await;
    connection.execute("deallocate tried").await.unwrap();
    let error = outcome.err()?;
    let refused = error.as_database_error()?.code()? == INSUFFICIENT_PRIVILEGE;
    refused.then(|| error.to_string())
}

/// The source of all that is deployed, cut into functions.
struct Code {
    sources: Vec<Source>,
    items: Vec<Item>,
}

/// One function: where it is, and what it calls.
struct Item {
    file: usize,
    name: String,
    body: Range<usize>,
    calls: BTreeSet<(Option<String>, String)>,
}

impl Code {
    fn read() -> Self {
        let mut all = sources("shared/src");
        all.extend(sources("functions"));
        let items = all
            .iter()
            .enumerate()
            .flat_map(|(file, source)| items(file, source))
            .collect();
        Self {
            sources: all,
            items,
        }
    }

    /// The statements in everything that is called, each with its file and offset.
    fn reached_from(&self, function: &str) -> Vec<(usize, usize, &str)> {
        let own = format!("functions/{function}/");
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut next: Vec<usize> = (0..self.items.len())
            .filter(|&item| self.path(item).starts_with(&own))
            .collect();
        while let Some(item) = next.pop() {
            if reached.insert(item) {
                next.extend(self.called_by(item));
            }
        }
        let in_store = reached
            .into_iter()
            .filter(|&item| self.path(item).starts_with("shared/src/store/"));
        in_store
            .flat_map(|item| {
                let Item { file, body, .. } = &self.items[item];
                let texts = statements(&self.sources[*file]).into_iter();
                texts
                    .filter(|text| body.contains(&text.offset))
                    .map(|text| (*file, text.offset, text.value.as_str()))
            })
            .collect()
    }

    fn path(&self, item: usize) -> &str {
        &self.sources[self.items[item].file].path
    }

    fn called_by(&self, caller: usize) -> Vec<usize> {
        let Item { file, calls, .. } = &self.items[caller];
        let is_called = |item: &Item| {
            calls.iter().any(|(module, name)| {
                *name == item.name
                    && match module {
                        None => item.file == *file,
                        Some(module) => {
                            let path = &self.sources[item.file].path;
                            path.starts_with("shared/")
                                && path.split(['/', '.']).any(|part| part == module)
                        }
                    }
            })
        };
        (0..self.items.len())
            .filter(|&item| is_called(&self.items[item]))
            .collect()
    }
}

fn items(file: usize, source: &Source) -> Vec<Item> {
    let mut items = Vec::new();
    for begin in source.find("fn ") {
        let rest = &source.code[begin + 3..];
        let name = word_at(rest);
        let Some(open) = rest
            .find(['{', ';'])
            .filter(|&at| rest.as_bytes()[at] == b'{')
        else {
            continue;
        };
        let mut depth = 0;
        let close = rest[open..].find(|next| {
            depth += i32::from(next == '{') - i32::from(next == '}');
            depth == 0
        });
        let body = begin + 3 + open..begin + 3 + open + close.unwrap_or(0);
        let calls = calls(&source.code[body.clone()]);
        items.push(Item {
            file,
            name,
            body,
            calls,
        });
    }
    items
}

/// Every `name(` and `module::name(`, and paths that are passed on as values.
fn calls(body: &str) -> BTreeSet<(Option<String>, String)> {
    let mut found = BTreeSet::new();
    let part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    for path in body.split(|c: char| !part(c) && c != ':' && c != '.') {
        if path.contains('.') {
            // A method's receiver may be made by a call: `orders::lock(tx).await`.
            continue;
        }
        let mut parts = path.rsplit("::");
        let name = parts.next().unwrap_or_default();
        let module = parts.next();
        if !name.is_empty() {
            found.insert((module.map(str::to_owned), name.to_owned()));
        }
    }
    found
}

fn word_at(text: &str) -> String {
    text.chars()
        .take_while(|c| *c == '_' || c.is_ascii_alphanumeric())
        .collect()
}

#[tokio::test]
async fn a_missing_grant_is_noticed() {
    let database = TestDatabase::create().await;
    let mut mailer = database.connect_as("mailer").await;
    let refused = refusal(
        &mut mailer,
        "update wallets set balance_minor = $1 where id = $2",
    )
    .await;
    assert!(refused.unwrap().contains("wallets"));
    let allowed = refusal(&mut mailer, "select email from users where id = $1").await;
    assert_eq!(allowed, None);
}

#[test]
fn calls_are_followed_by_module_and_name() {
    let found =
        calls("let a = orders::lock(&mut tx, id).await?; view(a); state.read(orders::page)");
    let has = |module: Option<&str>, name: &str| {
        found.contains(&(module.map(str::to_owned), name.to_owned()))
    };
    assert!(has(Some("orders"), "lock") && has(None, "view") && has(Some("orders"), "page"));
    assert!(!has(None, "read"));
}
