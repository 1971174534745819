//! Gets PostgreSQL where none is installed: the distribution's own packages, unpacked beside the
//! project instead of installed, which needs no rights. The builds on the Python package index
//! have no `pg_trgm`, which the schema uses.

use super::Account;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use tokio::process::Command;

const REMEDY: &str = "Remedy: apt install postgresql, or any other PostgreSQL 15 or newer in PATH";

/// Where the unpacked programs are.
pub(super) struct Fetched {
    pub(super) programs: PathBuf,
    pub(super) libraries: PathBuf,
}

/// Downloads and unpacks PostgreSQL unless that was done before.
///
/// # Errors
/// The machine has no apt, or the packages cannot be downloaded.
pub(super) async fn ensure(stack: &Stack, account: Account) -> Result<Fetched> {
    let folder = place(stack, account);
    if !folder.join("complete").is_file() {
        fetch(&folder)
            .await
            .with_context(|| format!("PostgreSQL is not installed. {REMEDY}"))?;
        fs::write(folder.join("complete"), "")?;
    }
    let releases = folder.join("usr/lib/postgresql");
    let release = fs::read_dir(&releases)?
        .flatten()
        .next()
        .context("The packages hold no PostgreSQL.")?;
    let libraries = fs::read_dir(folder.join("usr/lib"))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let libraries = libraries.unwrap_or_else(|| folder.join("usr/lib"));
    Ok(Fetched {
        programs: release.path().join("bin"),
        libraries,
    })
}

/// In the project, unless the nodes' account cannot get there.
fn place(stack: &Stack, account: Account) -> PathBuf {
    let tools = stack.root().join(".holdfast");
    match account.run_as() {
        Some(user) if !account.can_execute(&tools) => {
            format!("/var/tmp/holdfast-postgresql-{}", user.uid).into()
        }
        _ => tools.join("postgresql"),
    }
}

async fn fetch(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let server = server_package().await?;
    let client = server.replace("postgresql-", "postgresql-client-");
    let simulated = said(
        "apt-get",
        &["-s", "install", "--no-install-recommends", &server],
    )
    .await?;
    let mut packages = libraries_in(&simulated);
    packages.extend([server, client, "libpq5".into()]);
    let mut download = Command::new("apt-get");
    download
        .args(["download", "-q"])
        .args(&packages)
        .current_dir(folder);
    run(download, "apt-get download").await?;
    for entry in fs::read_dir(folder)?.flatten() {
        let archive = entry.path();
        if archive.extension().is_some_and(|ending| ending == "deb") {
            let mut unpack = Command::new("dpkg");
            unpack.arg("--extract").arg(&archive).arg(folder);
            run(unpack, "dpkg --extract").await?;
            fs::remove_file(archive)?;
        }
    }
    Ok(())
}

/// The release that this version of the distribution carries, as `postgresql-15`.
async fn server_package() -> Result<String> {
    let mut described = said("apt-cache", &["depends", "postgresql"]).await;
    if described
        .as_ref()
        .map_or(true, |text| text.trim().is_empty())
    {
        // A bare image has no package lists. Only root can get them; for others the next call fails.
        run(apt_update(), "apt-get update").await?;
        described = said("apt-cache", &["depends", "postgresql"]).await;
    }
    parse_dependency(&described?).context("apt knows no PostgreSQL.")
}

fn apt_update() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["update", "-q"]);
    command
}

fn parse_dependency(described: &str) -> Option<String> {
    let names = described
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let mut servers = names.filter(|name| {
        name.strip_prefix("postgresql-")
            .is_some_and(|release| release.parse::<u32>().is_ok())
    });
    servers.next().map(str::to_owned)
}

/// `Inst libllvm14 (1:14.0.6-12 Debian:12 [amd64])`: the libraries that an installation would add.
fn libraries_in(simulated: &str) -> Vec<String> {
    let added = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next());
    added
        .filter(|name| name.starts_with("lib") && !name.ends_with("-perl") && *name != "libpq5")
        .map(str::to_owned)
        .collect()
}

async fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    run(command, program).await
}

async fn run(mut command: Command, what: &str) -> Result<String> {
    let output = command
        .env("LC_ALL", "C")
        .output()
        .await
        .with_context(|| format!("There is no `{what}` here."))?;
    if !output.status.success() {
        bail!(
            "{what} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_the_meta_package() {
        let described = "postgresql\n  Depends: postgresql-15\n  Suggests: postgresql-doc\n";
        assert_eq!(parse_dependency(described).unwrap(), "postgresql-15");
        assert!(parse_dependency("").is_none());
    }

    #[test]
    fn only_libraries_are_taken_from_what_would_be_installed() {
        let simulated = "Inst libllvm14 (1:14 x [amd64])\nInst libjson-perl (4 x [all])\n\
                         Inst postgresql-common (248 x [all])\nConf libllvm14 (1:14)\n";
        assert_eq!(libraries_in(simulated), ["libllvm14"]);
    }
}
