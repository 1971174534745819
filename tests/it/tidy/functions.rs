//! Every function has all of its parts.

use super::{Finding, files_under, functions, none, read, root};
use local::template::{TEMPLATE, Template};

#[test]
fn every_function_is_in_the_template_and_the_other_way_round() {
    let folders = functions();
    let template = Template::of(&root()).unwrap();
    let resources = template.functions();
    let mut findings = Vec::new();
    for folder in &folders {
        if !resources.iter().any(|resource| resource.name == *folder) {
            findings.push(Finding::at(
                TEMPLATE,
                1,
                format!("no resource has the code of functions/{folder}"),
            ));
        }
    }
    for resource in &resources {
        let name = format!("holdfast-${{Stage}}-{}", resource.name);
        if !folders.contains(&resource.name) {
            findings.push(Finding::at(
                TEMPLATE,
                resource.line,
                format!("functions/{} is missing", resource.name),
            ));
        }
        if resource.text("FunctionName") != Some(&name) {
            findings.push(Finding::at(
                TEMPLATE,
                resource.line,
                format!("its name is not {name}"),
            ));
        }
    }
    none(findings);
}

#[test]
fn every_function_is_a_library_with_a_start() {
    let mut findings = Vec::new();
    for function in functions() {
        for file in ["src/lib.rs", "src/main.rs"] {
            let path = format!("functions/{function}/{file}");
            if !root().join(&path).is_file() {
                findings.push(Finding::at(&path, 1, "is missing"));
            }
        }
    }
    none(findings);
}

#[test]
fn every_function_has_sample_events_and_every_event_a_function() {
    let mut findings = Vec::new();
    let functions = functions();
    let events = files_under("events");
    let of = |event: &str, function: &str| {
        let rest = event
            .strip_prefix("events/")
            .and_then(|name| name.strip_prefix(function));
        rest.is_some_and(|rest| rest.starts_with('-') || rest == ".json")
    };
    for function in &functions {
        if !events.iter().any(|event| of(event, function)) {
            findings.push(Finding::at(
                &format!("events/{function}.json"),
                1,
                "the function has no sample event",
            ));
        }
    }
    for event in &events {
        if !functions.iter().any(|function| of(event, function)) {
            findings.push(Finding::at(event, 1, "begins with the name of no function"));
        }
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&read(event)) {
            findings.push(Finding::at(event, error.line(), error.to_string()));
        }
    }
    none(findings);
}
