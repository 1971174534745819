//! The user account that PostgreSQL runs as. Its programs refuse root.

use crate::process::{RunAs, clean_environment};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Made only where there is no `postgres` account to use.
const OWN_ACCOUNT: &str = "holdfast-db";

/// Who the nodes run as: the caller, or a system account if the caller is root.
#[derive(Clone, Copy, Debug)]
pub struct Account(Option<RunAs>);

impl Account {
    /// Finds the account, or makes one.
    ///
    /// # Errors
    /// The caller is root, and no account can be made.
    pub fn find() -> Result<Self> {
        if fs::metadata("/proc/self")?.uid() != 0 {
            return Ok(Self(None));
        }
        if let Some(known) = look_up("postgres").or_else(|| look_up(OWN_ACCOUNT)) {
            return Ok(Self(Some(known)));
        }
        let made = Command::new("useradd")
            .args([
                "--system",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                OWN_ACCOUNT,
            ])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            bail!(
                "PostgreSQL does not run as root, and no account could be made for it. \
                   Run this as another user, or: useradd --system {OWN_ACCOUNT}"
            );
        }
        Ok(Self(Some(
            look_up(OWN_ACCOUNT).context("The new account cannot be found.")?,
        )))
    }

    /// What to run a service as.
    pub fn run_as(self) -> Option<RunAs> {
        self.0
    }

    /// A command in a clean environment, run as this account.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        clean_environment(&mut command);
        command.current_dir("/").stdin(Stdio::null());
        if let Some(user) = self.0 {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Whether the account can enter a folder or execute a program.
    pub fn can_execute(self, path: &Path) -> bool {
        let test = self
            .command(Path::new("/bin/sh"))
            .args(["-c", "test -x \"$1\"", "sh"])
            .arg(path)
            .status();
        test.is_ok_and(|status| status.success())
    }

    /// Makes a folder that this account alone may enter, or takes over an existing one.
    ///
    /// # Errors
    /// It cannot be made, or belongs to somebody else.
    pub fn own_folder(self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("Cannot make {}.", folder.display()))?;
        // In a folder that is open to all, somebody may have laid a link to lead root elsewhere.
        if fs::symlink_metadata(folder)?.is_symlink() {
            bail!("{} is a link. Remove it, then try again.", folder.display());
        }
        if let Some(user) = self.0 {
            chown(folder, Some(user.uid), Some(user.gid))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("{} belongs to another user.", folder.display()))
    }
}

fn look_up(name: &str) -> Option<RunAs> {
    let output = Command::new("getent")
        .args(["passwd", name])
        .output()
        .ok()?;
    parse_passwd(&String::from_utf8(output.stdout).ok()?)
}

fn parse_passwd(line: &str) -> Option<RunAs> {
    let mut fields = line.trim().split(':').skip(2);
    Some(RunAs {
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_group_are_read_from_a_passwd_line() {
        let user =
            parse_passwd("postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(parse_passwd("").is_none());
    }
}
