//! What the packages may depend on: the compiler then holds the rest.

use super::{Finding, functions, none, read};

/// What a function reaches only through `shared`.
const NOT_IN_FUNCTIONS: &[&str] = &["sqlx", "reqwest", "aws-", "hyper", "local", "cli", "tests"];

#[test]
fn functions_depend_neither_on_each_other_nor_on_a_client() {
    let names = functions();
    let mut findings = Vec::new();
    for function in &names {
        let file = format!("functions/{function}/Cargo.toml");
        for (line, dependency) in dependencies(&file) {
            let client = NOT_IN_FUNCTIONS.iter().any(|refused| {
                dependency == *refused || refused.ends_with('-') && dependency.starts_with(refused)
            });
            if client || names.contains(&dependency) {
                findings.push(Finding::at(
                    &file,
                    line,
                    format!("`{function}` may not depend on `{dependency}`"),
                ));
            }
        }
    }
    none(findings);
}

#[test]
fn shared_depends_on_no_other_package() {
    let mut refused = functions();
    refused.extend(["local", "cli", "tests"].map(str::to_owned));
    let found = dependencies("shared/Cargo.toml")
        .into_iter()
        .filter(|(_, name)| refused.contains(name));
    none(
        found
            .map(|(line, name)| {
                Finding::at(
                    "shared/Cargo.toml",
                    line,
                    format!("`shared` may not depend on `{name}`"),
                )
            })
            .collect(),
    );
}

#[test]
fn versions_stand_in_one_list() {
    let mut files = vec![
        "shared/Cargo.toml".to_owned(),
        "cli/Cargo.toml".into(),
        "local/Cargo.toml".into(),
        "tests/Cargo.toml".into(),
    ];
    files.extend(
        functions()
            .iter()
            .map(|name| format!("functions/{name}/Cargo.toml")),
    );
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(read(&file).lines()) {
            if line.contains("version = \"")
                || line.contains(" = \"")
                    && line
                        .trim_start()
                        .starts_with(|c: char| c.is_ascii_lowercase())
                    && line.ends_with('"')
                    && line
                        .split('"')
                        .nth(1)
                        .is_some_and(|value| value.starts_with(|c: char| c.is_ascii_digit()))
            {
                findings.push(Finding::at(
                    &file,
                    number,
                    "versions stand in the workspace's manifest",
                ));
            }
        }
    }
    none(findings);
}

/// The names under `[dependencies]`, each with its line.
fn dependencies(file: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (number, line) in (1..).zip(read(file).lines()) {
        if line.starts_with('[') {
            section = line.into();
        } else if section == "[dependencies]" {
            let name: String = line
                .chars()
                .take_while(|c| *c == '-' || *c == '_' || c.is_ascii_alphanumeric())
                .collect();
            if !name.is_empty() {
                found.push((number, name));
            }
        }
    }
    found
}
