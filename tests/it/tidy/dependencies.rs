//! What is in the programs: `deny.toml` held without a tool and without a network. It has no
//! knowledge of new advisories; for these run `cargo deny check advisories` or `cargo audit`, which
//! fetch the database of RustSec.

use super::{Finding, none, read, root};
use std::collections::BTreeSet;
use std::process::Command;

const RULES: &str = "deny.toml";

/// A crate that is compiled into something of ours.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// The lock file also names what optional features would bring; the tree has what is compiled.
fn compiled() -> BTreeSet<Crate> {
    let arguments = [
        "tree",
        "--workspace",
        "--locked",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
        // CARGO_TERM_COLOR would put escapes around the mark that `parse` takes off.
        "--color",
        "never",
    ];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(parse).collect()
}

/// `name v1.2.3 (proc-macro)|MIT`
fn parse(line: &str) -> Option<Crate> {
    let (package, licence) = line.rsplit_once('|')?;
    let mut words = package.split(' ');
    Some(Crate {
        name: words.next()?.into(),
        version: words.next()?.trim_start_matches('v').into(),
        // Marks a crate whose own dependencies were shown before.
        licence: licence.trim_end_matches(" (*)").into(),
    })
}

#[test]
fn every_licence_is_on_the_list() {
    let rules = read(RULES);
    let allowed = texts_between(&rules, "allow = [", "]");
    let refused = compiled()
        .into_iter()
        .filter(|found| !is_allowed(&found.licence, &allowed));
    none(
        refused
            .map(|found| {
                Finding::at(
                    "Cargo.lock",
                    line_of(&found),
                    format!(
                        "{} {} has the licence `{}`",
                        found.name, found.version, found.licence
                    ),
                )
            })
            .collect(),
    );
}

#[test]
fn no_banned_crate_is_compiled() {
    let compiled = compiled();
    assert!(compiled.len() > 100, "the tree is too small to be true");
    let mut findings = Vec::new();
    for ban in bans() {
        let hits: Vec<&Crate> = compiled.iter().filter(|found| ban.meets(found)).collect();
        let most = usize::from(ban.once);
        if hits.len() > most {
            for hit in hits {
                findings.push(Finding::at(
                    "Cargo.lock",
                    line_of(hit),
                    format!("{} {}: {}", hit.name, hit.version, ban.reason),
                ));
            }
        }
    }
    none(findings);
}

/// One entry of `bans.deny`.
struct Ban {
    name: String,
    /// Only versions below this one are meant.
    below: Option<Vec<u64>>,
    /// The crate may be there, in one version.
    once: bool,
    reason: String,
}

impl Ban {
    fn meets(&self, found: &Crate) -> bool {
        let version = numbers(&found.version);
        found.name == self.name && self.below.as_ref().is_none_or(|below| version < *below)
    }
}

fn bans() -> Vec<Ban> {
    let rules = read(RULES);
    let entries = rules
        .lines()
        .filter(|line| line.trim_start().starts_with("{ crate = "));
    let bans: Vec<Ban> = entries
        .map(|line| {
            let texts: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
            let (name, below) = texts[0]
                .split_once(":<")
                .map_or((texts[0], None), |(name, below)| {
                    (name, Some(numbers(below)))
                });
            Ban {
                name: name.into(),
                below,
                once: line.contains("deny-multiple-versions = true"),
                reason: texts[1].into(),
            }
        })
        .collect();
    assert!(!bans.is_empty());
    bans
}

fn numbers(version: &str) -> Vec<u64> {
    version
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok())
        .collect()
}

fn texts_between(text: &str, begin: &str, end: &str) -> BTreeSet<String> {
    let (_, rest) = text.split_once(begin).unwrap();
    let (inside, _) = rest.split_once(end).unwrap();
    inside
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn line_of(found: &Crate) -> usize {
    let entry = format!("name = \"{}\"\nversion = \"{}\"", found.name, found.version);
    let lock = read("Cargo.lock");
    lock.find(&entry)
        .map_or(1, |at| 1 + lock[..at].matches('\n').count())
}

/// An SPDX expression: `or` binds less than `and`. Old manifests write `/` for `or`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `None` where the expression is none.
fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut fine = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        fine |= all_of(words, allowed)?;
    }
    Some(fine)
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut fine = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        fine &= one(words, allowed)?;
    }
    Some(fine)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    match words.next()? {
        "(" => {
            let fine = any_of(words, allowed)?;
            words.next_if_eq(&")").map(|_| fine)
        }
        name => Some(allowed.contains(name)),
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC"].map(str::to_owned).into();
    for fine in [
        "MIT",
        "MIT/GPL-3.0",
        "GPL-3.0 OR MIT",
        "(MIT OR X) AND ISC",
        "ISC AND (X OR (MIT AND ISC))",
    ] {
        assert!(is_allowed(fine, &allowed), "{fine}");
    }
    for refused in [
        "",
        "GPL-3.0",
        "MIT AND X",
        "(MIT",
        "MIT OR",
        "X OR MIT AND X",
    ] {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
}

#[test]
fn versions_are_compared_by_number() {
    let found = |version: &str| Crate {
        name: "h2".into(),
        version: version.into(),
        licence: String::new(),
    };
    let ban = Ban {
        name: "h2".into(),
        below: Some(numbers("0.4")),
        once: false,
        reason: String::new(),
    };
    assert!(
        ban.meets(&found("0.3.27")) && !ban.meets(&found("0.4.0")) && !ban.meets(&found("0.10.1"))
    );
}
