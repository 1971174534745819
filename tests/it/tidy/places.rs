//! Things that live in one place only.

use super::source::{Source, deployed};
use super::{Finding, none};

/// Words in the code, the places that may have them, and why.
struct Rule {
    words: &'static [&'static str],
    places: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        words: &["axum", "lambda_http", "utoipa_axum", "tower_http"],
        places: &["shared/src/http/", "functions/"],
        reason: "only `http` and the functions know HTTP",
    },
    Rule {
        words: &["StatusCode"],
        // The payment provider speaks HTTP, and its statuses become an error there.
        places: &[
            "shared/src/http/",
            "functions/",
            "shared/src/providers/payments",
        ],
        reason: "only `http` and the functions know HTTP statuses",
    },
    Rule {
        words: &[
            "sqlx::query",
            "query_as(",
            "query_scalar(",
            "QueryBuilder",
            "raw_sql",
        ],
        places: &["shared/src/store/"],
        reason: "only `store` asks the database",
    },
    Rule {
        words: &["env::var", "env::vars", "from_default_env", "dotenvy"],
        places: &["shared/src/config.rs"],
        reason: "only `config` reads the environment",
    },
    Rule {
        words: &["try_from_env"],
        places: &["shared/src/telemetry/"],
        reason: "only `telemetry` reads the environment itself, for LOG_LEVEL",
    },
    Rule {
        words: &[
            "tokio::spawn",
            "task::spawn(",
            "spawn_local",
            "thread::spawn",
            "JoinSet",
            "Handle::spawn",
        ],
        places: &[],
        reason: "nothing runs between invocations; join inside the request",
    },
    Rule {
        words: &["spawn_blocking"],
        places: &[
            "shared/src/providers/passwords.rs",
            "functions/products/src/complete_image.rs",
        ],
        reason: "work on the CPU is bounded in one place each",
    },
    Rule {
        words: &["SystemTime::now", "OffsetDateTime::now", "UtcDateTime::now"],
        places: &["shared/src/clock.rs"],
        reason: "only `clock` asks what time it is",
    },
    Rule {
        words: &[
            "todo!",
            "unimplemented!",
            "dbg!",
            "println!",
            "eprintln!",
            "print!",
        ],
        places: &[],
        reason: "nothing is half done, and everything that is said goes through `telemetry`",
    },
];

#[test]
fn each_thing_lives_in_its_place() {
    let mut findings = Vec::new();
    for source in deployed() {
        for rule in RULES {
            if rule
                .places
                .iter()
                .any(|place| source.path.starts_with(place))
            {
                continue;
            }
            for word in rule.words {
                for offset in source.find(word) {
                    let words = format!("`{word}`: {}", rule.reason);
                    findings.push(Finding::at(&source.path, source.line(offset), words));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn sql_is_written_only_in_the_store() {
    let mut findings = Vec::new();
    for source in deployed() {
        if source.path.starts_with("shared/src/store/") {
            continue;
        }
        for text in source.texts.iter().filter(|text| is_sql(&text.value)) {
            findings.push(Finding::at(
                &source.path,
                source.line(text.offset),
                "SQL belongs into shared/src/store",
            ));
        }
    }
    none(findings);
}

#[test]
fn spans_are_written_only_in_the_policies() {
    let mut findings = Vec::new();
    for source in deployed() {
        // The defaults of variables are the configuration's own.
        if ["shared/src/resilience/policies", "shared/src/config"]
            .iter()
            .any(|place| source.path.starts_with(place))
        {
            continue;
        }
        for offset in spans(&source) {
            findings.push(Finding::at(
                &source.path,
                source.line(offset),
                "milliseconds belong into resilience/policies.rs",
            ));
        }
    }
    none(findings);
}

/// `from_millis(5)`, and a number given to a name that ends in `_ms`.
fn spans(source: &Source) -> Vec<usize> {
    let number = |rest: &str| rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let mut found: Vec<usize> = ["from_millis(", "Duration::milliseconds("]
        .iter()
        .flat_map(|word| {
            source
                .find(word)
                .into_iter()
                .map(move |at| (at, word.len()))
        })
        .filter(|(at, length)| number(&source.code[at + length..]))
        .map(|(at, _)| at)
        .collect();
    for (at, name) in source
        .code
        .match_indices("_ms")
        .chain(source.code.match_indices("_MS"))
    {
        let rest = source.code[at + name.len()..].trim_start();
        let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('='));
        // `const PAUSE_MS: u64 = 5`
        let value = value
            .map(|value| value.split_once(';').map_or(value, |(line, _)| line))
            .map(|value| value.rsplit_once('=').map_or(value, |(_, value)| value));
        if value.is_some_and(number) && !source.is_test(at) {
            found.push(at);
        }
    }
    found
}

/// Whether a text is a statement rather than a sentence.
fn is_sql(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    let has = |begin: &str, then: &str| text.starts_with(begin) && text.contains(then);
    has("select ", " from ")
        || has("insert into ", " values")
        || has("insert into ", "select ")
        || has("update ", " set ") && text.contains('=')
        || has("delete from ", " where ")
        || has("with ", " as (")
        || ["create table ", "alter table ", "drop table ", "truncate "]
            .iter()
            .any(|begin| text.starts_with(begin))
}

#[test]
fn spans_and_statements_are_recognised() {
    let found = |text: &str| spans(&Source::cut("a.rs", text)).len();
    assert_eq!(found("Duration::from_millis(5)"), 1);
    assert_eq!(found("const PAUSE_MS: u64 = 5;"), 1);
    assert_eq!(found("Policy { timeout_ms: 1_000 }"), 1);
    assert_eq!(found("Duration::from_millis(policy.timeout_ms.into())"), 0);
    assert_eq!(found("let issued_ms: i64 = at.into();"), 0);
    assert!(is_sql("select a from b") && is_sql("UPDATE a SET b = 1"));
    assert!(!is_sql("update your browser") && !is_sql("with care"));
}
