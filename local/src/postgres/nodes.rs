//! Makes, starts and stops the three nodes. Every step finds out what is there already, so that a
//! half-finished earlier run is finished and a killed node comes back.

use super::configuration::{self, Commits};
use super::{Account, Credentials, Installation, Node, connect, data_folder, data_root};
use crate::process::{self, Outcome, Service, Signal};
use crate::stack::{Stack, write_private};
use anyhow::{Context, Result, bail};
use sqlx::{Connection, Executor};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Everything needed to run the nodes of one stack.
pub struct Cluster<'a> {
    stack: &'a Stack,
    account: Account,
    installation: Installation,
    secret: Credentials,
}

/// Whether a node answers.
pub async fn ready(stack: &Stack, node: Node) -> bool {
    match connect(stack, node, "postgres").await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

/// Stops a node. The primary goes first, so that the standbys get its last changes.
///
/// # Errors
/// The node does not end.
pub async fn stop(stack: &Stack, node: Node) -> Result<bool> {
    process::stop(stack, node.process()).await
}

impl<'a> Cluster<'a> {
    /// Finds the programs, the account and a place for the data.
    ///
    /// # Errors
    /// One of them cannot be had; says what to do about it.
    pub async fn prepare(stack: &'a Stack) -> Result<Self> {
        let account = Account::find()?;
        let installation = Installation::find_or_fetch(stack, account).await?;
        let secret = Credentials::of(stack)?;
        let cluster = Self {
            stack,
            account,
            installation,
            secret,
        };
        cluster.place_data()?;
        Ok(cluster)
    }

    /// The release in use.
    pub fn major(&self) -> u32 {
        self.installation.major
    }

    /// Brings all three nodes up, the standbys streaming. Answers how many had to be started.
    ///
    /// # Errors
    /// A node cannot be made, does not start, or does not follow.
    pub async fn ensure(&self) -> Result<usize> {
        let mut started = 0;
        self.make_primary()?;
        // A node that was promoted over must not wake up as a writer beside the present one; it
        // is the database commands' task to bring it back, not a start's.
        started += usize::from(self.start(Node::Primary, self.commits()).await?);
        for standby in [Node::Replica, Node::Fallback] {
            self.make_standby(standby).await?;
            started += usize::from(self.start(standby, Commits::WithOneStandby).await?);
        }
        if self.commits() == Commits::Alone {
            self.wait_streaming().await?;
            self.write_settings(Node::Primary, Commits::WithOneStandby)?;
            self.reload(Node::Primary)?;
        }
        Ok(started)
    }

    fn commits(&self) -> Commits {
        let complete = [Node::Replica, Node::Fallback]
            .iter()
            .all(|node| self.is_made(*node));
        let text = fs::read_to_string(self.folder(Node::Primary).join(configuration::FILE))
            .unwrap_or_default();
        if complete && text.contains("'ANY 1") {
            Commits::WithOneStandby
        } else {
            Commits::Alone
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.installation.program(name));
        command.envs(self.installation.environment());
        command
    }

    fn folder(&self, node: Node) -> PathBuf {
        data_folder(self.stack, node)
    }

    /// A node is made once a note beside its folder says so; before, the folder may be half full.
    fn is_made(&self, node: Node) -> bool {
        self.note(node).is_file() && self.folder(node).join("PG_VERSION").is_file()
    }

    fn note(&self, node: Node) -> PathBuf {
        data_root(self.stack).join(format!("{}.made", node.name()))
    }

    fn place_data(&self) -> Result<()> {
        let usual = self.stack.path("postgres");
        let noted = self.stack.path("postgres-folder");
        if !noted.exists() {
            fs::create_dir_all(&usual)?;
            // The stack's own folder is for its owner alone, so root's is closed to other accounts.
            let elsewhere = self.account.run_as().is_some() && !self.account.can_execute(&usual);
            let place = if elsewhere {
                outside_folder(self.stack)
            } else {
                usual
            };
            write_private(&noted, place.to_string_lossy().as_bytes())?;
        }
        self.account.own_folder(&data_root(self.stack))
    }

    fn make_primary(&self) -> Result<()> {
        if self.is_made(Node::Primary) {
            return Ok(());
        }
        let folder = self.empty_folder(Node::Primary)?;
        let password_file = data_root(self.stack).join("superuser-password");
        write_private(&password_file, self.secret.superuser_password.as_bytes())?;
        self.give(&password_file)?;
        let mut command = self.program("initdb");
        command
            .arg("--pgdata")
            .arg(&folder)
            .arg("--pwfile")
            .arg(&password_file)
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
                "--no-instructions",
            ]);
        let outcome = run(&mut command, "initdb");
        fs::remove_file(&password_file)?;
        outcome?;
        self.write(&folder.join("pg_hba.conf"), configuration::HBA)?;
        let main = folder.join("postgresql.conf");
        let text = format!(
            "{}\ninclude '{}'\n",
            fs::read_to_string(&main)?,
            configuration::FILE
        );
        self.write(&main, &text)?;
        self.write(&self.note(Node::Primary), "")
    }

    async fn make_standby(&self, standby: Node) -> Result<()> {
        if self.is_made(standby) {
            return Ok(());
        }
        process::stop(self.stack, standby.process()).await?;
        self.prepare_replication(standby).await?;
        let folder = self.empty_folder(standby)?;
        let mut command = self.program("pg_basebackup");
        command.arg("--pgdata").arg(&folder).args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--slot",
            standby.name(),
            "--dbname",
            &configuration::upstream(self.stack, standby, &self.secret),
        ]);
        run(&mut command, "pg_basebackup")?;
        self.write(&folder.join("standby.signal"), "")?;
        self.write(&self.note(standby), "")
    }

    /// The role and the slot of a standby. Only run while commits wait for nobody.
    async fn prepare_replication(&self, standby: Node) -> Result<()> {
        let mut primary = connect(self.stack, Node::Primary, "postgres").await?;
        let password = &self.secret.replication_password;
        let role = format!(
            "set synchronous_commit = local;
             do $$ begin
               if not exists (select from pg_roles where rolname = 'replicator') then
                 create role replicator login replication;
               end if;
               alter role replicator password '{password}';
             end $$"
        );
        primary.execute(role.as_str()).await?;
        sqlx::query(
            "select pg_create_physical_replication_slot($1, true) \
             where not exists (select from pg_replication_slots where slot_name = $1)",
        )
        .bind(standby.name())
        .execute(&mut primary)
        .await?;
        Ok(())
    }

    async fn start(&self, node: Node, commits: Commits) -> Result<bool> {
        self.write_settings(node, commits)?;
        let mut service = Service::new(
            node.process(),
            self.installation.program("postgres"),
            "/".into(),
        );
        service.args = vec!["-D".into(), self.folder(node).into()];
        service.env = self.installation.environment();
        service.run_as = self.account.run_as();
        service.stop_signal = Signal::Interrupt;
        self.clear_stale_lock(node).await?;
        let outcome = service.ensure(self.stack).await?;
        let probe = async || ready(self.stack, node).await;
        process::wait_ready(self.stack, node.process(), PATIENCE, probe).await?;
        Ok(matches!(outcome, Outcome::Started(_)))
    }

    /// A killed server leaves a lock file. PostgreSQL takes any process of the number in it for a
    /// live server: a zombie that nobody has reaped yet, or a stranger that got the number since.
    async fn clear_stale_lock(&self, node: Node) -> Result<()> {
        let folder = self.folder(node);
        let file = folder.join("postmaster.pid");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let pid = text
            .lines()
            .next()
            .and_then(|line| line.parse::<u32>().ok());
        let Some(pid) = pid.filter(|_| process::running(self.stack, node.process()).is_none())
        else {
            return Ok(());
        };
        let serves_this_folder = || {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments)
                .split('\0')
                .any(|one| Path::new(one) == folder)
        };
        if serves_this_folder() {
            process::send(pid, Signal::Interrupt);
        }
        let gone = || !Path::new(&format!("/proc/{pid}")).exists();
        if process::wait_until(Duration::from_secs(5), gone).await {
            return Ok(());
        }
        if serves_this_folder() {
            bail!(
                "Process {pid} uses {} and does not end. Stop it by hand, then try again.",
                folder.display()
            );
        }
        fs::remove_file(&file).with_context(|| format!("Cannot remove {}.", file.display()))
    }

    async fn wait_streaming(&self) -> Result<()> {
        let mut primary = connect(self.stack, Node::Primary, "postgres").await?;
        let begin = std::time::Instant::now();
        loop {
            let streaming: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_replication \
                 where state = 'streaming' and application_name in ('replica', 'fallback')",
            )
            .fetch_one(&mut primary)
            .await?;
            if streaming == 2 {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                bail!(
                    "Only {streaming} of 2 standbys follow the primary. Their logs: cargo holdfast logs postgres-replica"
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn reload(&self, node: Node) -> Result<()> {
        let record =
            process::running(self.stack, node.process()).context("The primary has ended.")?;
        process::send(record.pid, Signal::Reload);
        Ok(())
    }

    fn write_settings(&self, node: Node, commits: Commits) -> Result<()> {
        let text = configuration::settings(self.stack, node, &self.secret, commits);
        self.write(&self.folder(node).join(configuration::FILE), &text)
    }

    /// What an interrupted run left is no data yet.
    fn empty_folder(&self, node: Node) -> Result<PathBuf> {
        let folder = self.folder(node);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("Cannot clear {}.", folder.display()))?;
        }
        self.account.own_folder(&folder)?;
        Ok(folder)
    }

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        write_private(path, text.as_bytes())?;
        self.give(path)
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some(user) = self.account.run_as() {
            std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid))?;
        }
        Ok(())
    }
}

/// A folder that every account reaches, its name unlike that of any other project's stack.
fn outside_folder(stack: &Stack) -> PathBuf {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(stack.folder().to_string_lossy().as_bytes());
    let short: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    PathBuf::from(format!("/var/tmp/holdfast-{}-{short}", stack.name()))
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("Cannot run {what}."))?;
    if !output.status.success() {
        bail!(
            "{what} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
