//! Words that do not belong into the project.

use super::{Finding, files_under, none, root};

/// Split, so that this file does not contain them itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/Us", "ers/"), "a path of one machine"),
    (concat!("TO", "DO"), "nothing is left half done"),
    (concat!("FIX", "ME"), "nothing is left half done"),
    (concat!("Po", "C"), "what is here is meant to stay"),
    (
        concat!("proof of ", "concept"),
        "what is here is meant to stay",
    ),
];

#[test]
fn nothing_names_a_machine_or_is_half_done() {
    let mut findings = Vec::new();
    for path in files_under(".") {
        let path = path.trim_start_matches("./");
        // Made by tools, or not text.
        let Ok(text) = std::fs::read_to_string(root().join(path)) else {
            continue;
        };
        if path.ends_with(".lock") {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            for (word, reason) in FORBIDDEN.iter().filter(|(word, _)| stands_in(line, word)) {
                findings.push(Finding::at(path, number, format!("`{word}`: {reason}")));
            }
        }
    }
    none(findings);
}

/// As a word of its own, and as a path from the top.
fn stands_in(line: &str, word: &str) -> bool {
    let part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let path = word.starts_with('/');
        let begins = before.is_none_or(|c| !(part(c) || path && ".~}$)*".contains(c)));
        begins && (path || after.is_none_or(|c| !part(c)))
    })
}

#[test]
fn words_are_found_whole_and_paths_from_the_top() {
    let word = FORBIDDEN[0].0;
    assert!(stands_in(&format!("in {word}x"), word));
    assert!(!stands_in(&format!("url.example{word}"), word));
    assert!(!stands_in("MASTODON", FORBIDDEN[4].0));
}
