//! Every secret that can be rotated is.

use super::template::{TEMPLATE, deployed};
use super::{Finding, none, read};

#[test]
fn every_login_and_the_ring_have_a_schedule_and_the_rotators_rights() {
    let template = read(TEMPLATE);
    let role = template
        .split("  KeyRotatorRole:")
        .nth(1)
        .and_then(|rest| rest.split("  KeyRotatorLogs:").next())
        .unwrap();
    let logins = deployed()
        .into_iter()
        .filter(|function| function.text.contains("DB_SECRET_ID:"));
    let mut secrets: Vec<(usize, String)> = logins
        .map(|function| {
            (
                function.line,
                format!("{}DatabaseSecret", pascal(&function.function)),
            )
        })
        .collect();
    assert!(secrets.len() > 5);
    secrets.push((1, "JwtPrivateSecret".to_owned()));
    let mut findings = Vec::new();
    for (line, secret) in secrets {
        for (part, wanted) in [
            (template.as_str(), format!("SecretId: !Ref {secret}\n")),
            (role, format!("!GetAtt {secret}.Id\n")),
        ] {
            if !part.contains(&wanted) {
                findings.push(Finding::at(
                    TEMPLATE,
                    line,
                    format!("not found: {}", wanted.trim()),
                ));
            }
        }
    }
    none(findings);
}

fn pascal(name: &str) -> String {
    let capitalised = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('-').map(capitalised).collect()
}
