//! How long things may be.

use super::source::{Source, sources};
use super::{Finding, files_under, functions, none, read};

const FILE_LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 15;
const FUNCTION_LINES_MAX: usize = 70;

/// Tables that must be exhaustive, so that the compiler asks for the missing row.
const TABLES: &[(&str, &str)] = &[("shared/src/http/error.rs", "row")];

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let is_source = |path: &String| {
        [".rs", ".py", ".sql", ".js", ".css"]
            .iter()
            .any(|end| path.ends_with(end))
    };
    let long = files_under(".")
        .into_iter()
        .filter(is_source)
        .filter_map(|path| {
            let path = path.trim_start_matches("./").to_owned();
            let lines = read(&path).lines().count();
            (lines > FILE_LINES_MAX).then(|| {
                Finding::at(
                    &path,
                    lines,
                    format!("{lines} lines, {FILE_LINES_MAX} at most"),
                )
            })
        });
    none(long.collect());
}

#[test]
fn a_function_starts_in_fifteen_lines() {
    let long = functions().into_iter().filter_map(|function| {
        let path = format!("functions/{function}/src/main.rs");
        let lines = read(&path).lines().count();
        (lines > MAIN_LINES_MAX).then(|| {
            Finding::at(
                &path,
                lines,
                format!("{lines} lines, {MAIN_LINES_MAX} at most"),
            )
        })
    });
    none(long.collect());
}

#[test]
fn no_function_is_longer_than_seventy_lines() {
    let mut findings = Vec::new();
    for folder in ["shared", "functions", "cli", "local", "tests"] {
        for source in sources(folder) {
            for (line, lines) in long_functions(&source) {
                findings.push(Finding::at(
                    &source.path,
                    line,
                    format!("{lines} lines in a function, {FUNCTION_LINES_MAX} at most"),
                ));
            }
        }
    }
    none(findings);
}

fn long_functions(source: &Source) -> Vec<(usize, usize)> {
    let mut long = Vec::new();
    for (begin, _) in source.code.match_indices("fn ") {
        let word_before = begin > 0 && !source.code.as_bytes()[begin - 1].is_ascii_whitespace();
        let rest = &source.code[begin..];
        let Some(open) = rest
            .find(['{', ';'])
            .filter(|&at| rest.as_bytes()[at] == b'{' && !word_before)
        else {
            continue;
        };
        let mut depth = 0;
        let close = rest[open..].find(|next| {
            depth += i32::from(next == '{') - i32::from(next == '}');
            depth == 0
        });
        let lines = 1 + rest[..open + close.unwrap_or(0)].matches('\n').count();
        let is_table = TABLES
            .iter()
            .any(|(file, name)| source.path == *file && rest[3..].starts_with(&format!("{name}(")));
        if lines > FUNCTION_LINES_MAX && !is_table {
            long.push((source.line(begin), lines));
        }
    }
    long
}

#[test]
fn a_long_function_is_found() {
    let text = format!(
        "\nfn short() {{}}\nfn long() {{\n{}}}\n",
        "a();\n".repeat(70)
    );
    assert_eq!(long_functions(&Source::cut("a.rs", &text)), [(3, 72)]);
}

#[test]
fn files_are_named_for_what_they_hold() {
    const EMPTY: &[&str] = &[
        "util", "utils", "helper", "helpers", "common", "misc", "manager",
    ];
    let vague = files_under(".").into_iter().filter(|path| {
        let stem = std::path::Path::new(path)
            .file_stem()
            .and_then(|stem| stem.to_str());
        stem.is_some_and(|stem| EMPTY.contains(&stem))
    });
    none(
        vague
            .map(|path| Finding::at(&path, 1, "the name says nothing about what is in it"))
            .collect(),
    );
}
