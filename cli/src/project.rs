//! The project that the command works on: its folder, its functions, its stacks.

use anyhow::{Context, Result};
use local::Stack;
use shared::config::FUNCTIONS;
use std::path::{Path, PathBuf};

/// Opens a stack of the project that the current folder is in.
///
/// # Errors
/// The name or the port is unusable.
pub(crate) fn open_stack(name: &str, port_base: Option<u16>) -> Result<Stack> {
    Stack::open(&root()?, name, port_base)
}

/// The names of all functions: one for each folder in `functions`.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn functions(stack: &Stack) -> Result<Vec<String>> {
    let folder = stack.root().join("functions");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("Cannot read {}.", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// The functions that have a login at the database.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn database_functions(stack: &Stack) -> Result<Vec<String>> {
    let has_database = |name: &String| {
        let mut all = FUNCTIONS.iter();
        let found = all.find(|checked| checked.function == *name);
        found.is_some_and(|checked| (checked.variables)().contains("DB_HOSTS"))
    };
    let mut names = functions(stack)?;
    names.retain(has_database);
    Ok(names)
}

/// The group role of a function. SQL names have no hyphen.
pub(crate) fn role_of(function: &str) -> String {
    function.replace('-', "_")
}

/// The project around the current folder, else the one that this program was built from.
fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("The current folder is gone.")?;
    let is_root =
        |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("local/aws").is_dir();
    if let Some(root) = here.ancestors().find(is_root) {
        return Ok(root.into());
    }
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    built_from
        .filter(is_root)
        .map(Into::into)
        .context("Run this inside the project's folder.")
}
