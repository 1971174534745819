//! Every secret that can be rotated is.

use super::{Finding, none, read, root};
use local::template::{TEMPLATE, Template};

#[test]
fn every_login_and_the_ring_have_a_schedule_and_the_rotators_rights() {
    let text = read(TEMPLATE);
    let role = text.split("  KeyRotatorRole:").nth(1).unwrap();
    let role = role.split("  KeyRotatorLogs:").next().unwrap();
    let template = Template::of(&root()).unwrap();
    let functions = template.functions().into_iter();
    let logins = functions.filter(|function| function.has_database());
    let mut secrets: Vec<(usize, String)> = logins
        .map(|function| {
            let name = function.resource.trim_end_matches("Function");
            (function.line, format!("{name}DatabaseSecret"))
        })
        .collect();
    assert!(secrets.len() > 5);
    secrets.push((1, "JwtPrivateSecret".to_owned()));
    let mut findings = Vec::new();
    for (line, secret) in secrets {
        for (part, wanted) in [
            (text.as_str(), format!("SecretId: !Ref {secret}\n")),
            (role, format!("!GetAtt {secret}.Id\n")),
        ] {
            if !part.contains(&wanted) {
                let words = format!("not found: {}", wanted.trim());
                findings.push(Finding::at(TEMPLATE, line, words));
            }
        }
    }
    none(findings);
}
