//! Every documented route reaches the function that serves it.

use super::{Finding, none, read, root};
use local::template::{Function, TEMPLATE, Template};
use utoipa::openapi::OpenApi;

/// What each HTTP function says that it serves.
fn served() -> [(&'static str, OpenApi); 4] {
    [
        ("auth", auth::routes().split_for_parts().1),
        ("products", products::routes().split_for_parts().1),
        ("checkout", checkout::routes().split_for_parts().1),
        ("ops", ops::routes().split_for_parts().1),
    ]
}

#[test]
fn the_api_routes_every_path_to_the_function_that_serves_it() {
    let template = Template::of(&root()).unwrap();
    let resources = template.functions();
    let mut findings = Vec::new();
    for (function, document) in served() {
        for path in document.paths.paths.keys() {
            match target(&resources, path) {
                Some(resource) if resource.name == function => {}
                Some(resource) => findings.push(Finding::at(
                    TEMPLATE,
                    resource.line,
                    format!(
                        "{path} goes to `{}`, but `{function}` serves it",
                        resource.name
                    ),
                )),
                None => findings.push(Finding::at(
                    TEMPLATE,
                    1,
                    format!("no route leads to {path}, which `{function}` serves"),
                )),
            }
        }
    }
    none(findings);
}

#[test]
fn every_path_of_the_contract_is_served_by_a_function() {
    const CONTRACT: &str = "docs/openapi.json";
    let contract: serde_json::Value = serde_json::from_str(&read(CONTRACT)).unwrap();
    let served = served();
    let unserved = contract["paths"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|path| {
            !served
                .iter()
                .any(|(_, document)| document.paths.paths.contains_key(*path))
        });
    none(
        unserved
            .map(|path| Finding::at(CONTRACT, 1, format!("no function serves {path}")))
            .collect(),
    );
}

/// Where the API sends a path: to the same path if there is one, else under the longest prefix.
fn target<'a>(resources: &'a [Function<'a>], path: &str) -> Option<&'a Function<'a>> {
    let strength = |route: &str| match route.strip_suffix("/{proxy+}") {
        None => (route == path).then_some(usize::MAX),
        Some(prefix) => path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('/'))
            .then_some(prefix.len()),
    };
    let routes = resources
        .iter()
        .flat_map(|resource| resource.paths.iter().map(move |route| (resource, route)));
    routes
        .filter_map(|(resource, route)| Some((strength(route)?, resource)))
        .max_by_key(|(strength, _)| *strength)
        .map(|(_, resource)| resource)
}
