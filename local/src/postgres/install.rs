//! Finds an installed PostgreSQL, or has one fetched.

use super::{Account, data_root, fetch};
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The oldest release that has everything used here.
const MAJOR_MIN: u32 = 15;
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";
/// Set to `fetch`, it has installed ones ignored.
const CHOICE: &str = "HOLDFAST_POSTGRES";

/// The programs of one PostgreSQL release.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The folder with `postgres`, `initdb` and `pg_basebackup`.
    pub programs: PathBuf,
    /// The release's first number.
    pub major: u32,
    /// Libraries that came with it.
    pub libraries: Option<PathBuf>,
}

impl Installation {
    /// The programs that made the stack's data, else the newest installed ones.
    pub fn find(stack: &Stack) -> Option<Self> {
        if std::env::var(CHOICE).is_ok_and(|choice| choice == "fetch") {
            return None;
        }
        let wanted = data_major(stack);
        let mut found: Vec<Self> = candidates()
            .into_iter()
            .filter_map(|programs| Self::at(programs, None))
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
        let fetched = fetch::ensure(stack, account).await?;
        let found = Self::at(fetched.programs, Some(fetched.libraries))
            .context("The fetched PostgreSQL does not run here. Remedy: apt install postgresql")?;
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

    /// What its programs need in their environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let libraries = self.libraries.iter();
        libraries
            .map(|folder| (LIBRARY_PATH.into(), folder.to_string_lossy().into()))
            .collect()
    }

    fn at(programs: PathBuf, libraries: Option<PathBuf>) -> Option<Self> {
        let complete = ["postgres", "initdb", "pg_basebackup"]
            .iter()
            .all(|p| programs.join(p).is_file());
        if !complete {
            return None;
        }
        let mut version = Command::new(programs.join("postgres"));
        version
            .arg("--version")
            .envs(libraries.iter().map(|folder| (LIBRARY_PATH, folder)));
        let output = version.output().ok()?;
        let major = parse_major(&String::from_utf8(output.stdout).ok()?)?;
        Some(Self {
            programs,
            major,
            libraries,
        })
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
    {
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
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn data_major(stack: &Stack) -> Option<u32> {
    let version = fs::read_to_string(data_root(stack).join("primary").join("PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_postgres_says() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.10 (Debian 15.10-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18.4"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("something else"), None);
    }
}
