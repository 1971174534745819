//! The rules of the house that no compiler knows. Every finding names its file and line.

mod configuration;
mod dependencies;
mod functions;
mod imports;
mod manifests;
mod migrations;
mod places;
mod routes;
mod secrets;
mod sizes;
pub(crate) mod source;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

/// One broken rule.
pub(crate) struct Finding {
    file: String,
    line: usize,
    words: String,
}

impl Finding {
    /// Names the place and says what is wrong with it.
    pub(crate) fn at(file: &str, line: usize, words: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            words: words.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.words)
    }
}

/// Fails with every finding.
pub(crate) fn none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .into()
}

/// Folders that tools make, and that no rule is about.
const MADE: &[&str] = &["target", ".holdfast", ".git", "__pycache__", "node_modules"];

/// Every file under a folder of the project, as paths relative to the project.
pub(crate) fn files_under(folder: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap();
            if MADE.contains(&name.as_str()) {
                continue;
            }
            if !path.is_dir() {
                let relative = path.strip_prefix(&root).unwrap();
                found.push(relative.to_str().unwrap().to_owned());
            } else {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file of the project.
pub(crate) fn read(relative: &str) -> String {
    let path = root().join(relative);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The functions: one for each folder with a manifest.
pub(crate) fn functions() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("functions"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
