//! What each function is told: the code, the template and the documentation say the same.

use super::{Finding, functions, none, read, root};
use local::template::{TEMPLATE, Template};
use shared::config::FUNCTIONS;
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = "docs/CONFIGURATION.md";

/// In place of `DB_HOSTS`, for whoever deploys in another way than by the template.
const NOT_IN_THE_TEMPLATE: [&str; 3] = ["DB_HOST_PRIMARY", "DB_HOST_REPLICA", "DB_HOST_FALLBACK"];

/// Part of what every function is told, and read by the AWS SDK alone.
const OF_THE_SDK: &str = "AWS_ENDPOINT_URL";

#[test]
fn every_function_has_a_configuration() {
    let mut configured: Vec<&str> = FUNCTIONS.iter().map(|one| one.function).collect();
    configured.sort_unstable();
    assert_eq!(configured, functions());
}

#[test]
fn template_tells_each_function_what_it_reads_and_nothing_else() {
    let template = Template::of(&root()).unwrap();
    let mut findings = Vec::new();
    for function in template.functions() {
        let mut all = FUNCTIONS.iter();
        let Some(checked) = all.find(|one| one.function == function.name) else {
            continue;
        };
        let asked = (checked.variables)();
        let (own, of_all) = template.variables(&function);
        let mut find = |words: String| {
            let words = format!("{}: {words}", function.name);
            findings.push(Finding::at(TEMPLATE, function.line, words));
        };
        let told = own.iter().chain(&of_all);
        for name in told.filter(|name| !name.starts_with(OF_THE_SDK)) {
            if !asked.contains(name) {
                find(format!("{name} is told and not read"));
            }
        }
        for name in asked
            .iter()
            .filter(|name| !NOT_IN_THE_TEMPLATE.contains(&name.as_str()))
        {
            if !own.contains(name) && !of_all.contains(name) {
                find(format!("{name} is read and not told"));
            }
        }
    }
    none(findings);
}

#[test]
fn every_variable_is_documented_with_the_functions_that_are_told() {
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for checked in FUNCTIONS {
        for name in (checked.variables)() {
            expected.entry(name).or_default().push(checked.function);
        }
    }
    let text = read(DOCUMENT);
    let mut documented = BTreeSet::new();
    let mut findings = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let Some((name, rest)) = row
            .strip_prefix("| `")
            .and_then(|row| row.split_once("` | "))
        else {
            continue;
        };
        let told = rest.split(" | ").next().unwrap_or_default();
        documented.insert(name);
        match expected.get(name) {
            Some(functions) if words(functions) == told => {}
            Some(functions) => {
                let words = format!("{name} is told to: {}", words(functions));
                findings.push(Finding::at(DOCUMENT, line, words));
            }
            None => findings.push(Finding::at(DOCUMENT, line, format!("nobody reads {name}"))),
        }
    }
    for name in expected
        .keys()
        .filter(|name| !documented.contains(name.as_str()))
    {
        findings.push(Finding::at(DOCUMENT, 1, format!("{name} is missing")));
    }
    none(findings);
}

fn words(functions: &[&str]) -> String {
    let without = FUNCTIONS
        .iter()
        .filter(|one| !functions.contains(&one.function));
    let without: Vec<&str> = without.map(|one| one.function).collect();
    match without.as_slice() {
        [] => "all".to_owned(),
        ["warmer"] => "all but warmer".to_owned(),
        _ => functions.join(", "),
    }
}
