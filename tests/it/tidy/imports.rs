//! Who may import whom.

use super::source::{Source, deployed, sources};
use super::{Finding, functions, none};

/// What any module of `shared` may use.
const ALL_MAY: &[&str] = &["clock", "domain"];

/// Each module of `shared`, and what of the others it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("domain", &[]),
    ("telemetry", &[]),
    ("config", &[]),
    // The deadline is part of what is known about a request.
    ("context", &["resilience"]),
    ("resilience", &["context", "telemetry"]),
    (
        "providers",
        &["resilience", "config", "context", "telemetry"],
    ),
    (
        "dynamo",
        &["resilience", "config", "context", "telemetry", "providers"],
    ),
    (
        "store",
        &["resilience", "config", "context", "telemetry", "providers"],
    ),
    (
        "state",
        &[
            "http",
            "store",
            "dynamo",
            "providers",
            "resilience",
            "config",
            "telemetry",
        ],
    ),
    (
        "events",
        &[
            "state",
            "store",
            "dynamo",
            "providers",
            "resilience",
            "config",
            "context",
            "telemetry",
        ],
    ),
    (
        "operations",
        &[
            "events",
            "state",
            "store",
            "dynamo",
            "providers",
            "resilience",
            "context",
            "telemetry",
        ],
    ),
    (
        "http",
        &[
            "operations",
            "events",
            "state",
            "store",
            "dynamo",
            "providers",
            "resilience",
            "config",
            "context",
            "telemetry",
        ],
    ),
];

#[test]
fn modules_of_shared_use_only_those_below_them() {
    let mut findings = Vec::new();
    for source in sources("shared/src") {
        let module = module_of(&source.path);
        if module == "lib" {
            continue;
        }
        let Some((_, may)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            findings.push(Finding::at(
                &source.path,
                1,
                format!("the module `{module}` has no place in the order of imports"),
            ));
            continue;
        };
        for (offset, used) in used_modules(&source, "crate::") {
            let fine = used == module || may.contains(&used.as_str());
            // The domain uses none of ours.
            let common = ALL_MAY.contains(&used.as_str()) && module != "domain";
            let known = MAY_USE.iter().any(|(name, _)| *name == used);
            if known && !fine && !common {
                let words = format!("`{module}` may not use `{used}`");
                findings.push(Finding::at(&source.path, source.line(offset), words));
            }
        }
    }
    none(findings);
}

/// What a function never names: the clients of what is outside, and whatever is not deployed.
const CLIENTS: &[&str] = &[
    "sqlx",
    "reqwest",
    "aws_config",
    "aws_sdk_dynamodb",
    "aws_sdk_lambda",
    "aws_sdk_s3",
    "aws_sdk_secretsmanager",
    "aws_sdk_sesv2",
    "aws_sdk_sqs",
    "hyper",
    "local",
    "cli",
    "tests",
];

#[test]
fn functions_use_neither_each_other_nor_a_client() {
    let names: Vec<String> = functions()
        .iter()
        .map(|name| name.replace('-', "_"))
        .collect();
    let mut findings = Vec::new();
    for source in sources("functions") {
        let own = source.path.split('/').nth(1).unwrap().replace('-', "_");
        let others = names.iter().map(String::as_str).filter(|name| *name != own);
        for name in others.chain(CLIENTS.iter().copied()) {
            for offset in source.find(&format!("{name}::")) {
                if begins_a_path(&source, offset) && !is_imported(&source, name) {
                    let words = format!("the function `{own}` may not use `{name}`");
                    findings.push(Finding::at(&source.path, source.line(offset), words));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn nothing_that_is_deployed_knows_of_the_local_stack() {
    let mut findings = Vec::new();
    for source in deployed() {
        for name in ["local", "cli", "tests"] {
            for offset in source.find(&format!("use {name}::")) {
                let words = format!("`{name}` is never deployed");
                findings.push(Finding::at(&source.path, source.line(offset), words));
            }
        }
    }
    none(findings);
}

/// `shared/src/store/orders/view.rs` belongs to `store`.
fn module_of(path: &str) -> &str {
    let below = path.strip_prefix("shared/src/").unwrap();
    below.split(['/', '.']).next().unwrap()
}

/// Every `prefix::module` and every `prefix::{one, two::three}`.
fn used_modules(source: &Source, prefix: &str) -> Vec<(usize, String)> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| *c == '_' || c.is_ascii_alphanumeric())
            .collect()
    };
    let mut used = Vec::new();
    for offset in source.find(prefix) {
        let rest = &source.code[offset + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.push((offset, word(rest)));
            continue;
        };
        let mut depth = 0;
        let end = group.find(|next| {
            depth += i32::from(next == '{') - i32::from(next == '}');
            depth < 0
        });
        let mut depth = 0;
        let outermost = group[..end.unwrap()].split(|next| {
            depth += i32::from(next == '{') - i32::from(next == '}');
            next == ',' && depth == 0
        });
        used.extend(
            outermost
                .map(|part| (offset, word(part.trim())))
                .filter(|(_, name)| !name.is_empty()),
        );
    }
    used
}

/// Not `some::name::…`.
fn begins_a_path(source: &Source, offset: usize) -> bool {
    !source.code[..offset].ends_with("::")
}

/// Whether the name is a module of `shared` or of the function itself here, as
/// `use shared::store::products;` makes it.
fn is_imported(source: &Source, name: &str) -> bool {
    let imports = source.code.split(';').filter(|part| {
        part.contains("use shared::")
            || part.contains("use crate::")
            || part.contains("use super::")
    });
    imports.clone().any(|part| {
        part.split(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
            .any(|word| word == name)
    }) || source.code.contains(&format!("mod {name};"))
}

#[test]
fn grouped_imports_are_taken_apart() {
    let source = Source::cut(
        "a.rs",
        "use crate::{context, store::{a, b}, http};\nuse crate::clock::now;",
    );
    let used: Vec<String> = used_modules(&source, "crate::")
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(used, ["context", "store", "http", "clock"]);
}
