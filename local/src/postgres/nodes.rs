//! Brings the three nodes up. Every step finds out what is there already, so that a
//! half-finished earlier run is finished and a killed node comes back.

use super::configuration::{self, Commits};
use super::survey::Survey;
use super::{Account, Credentials, Installation, Node, connect, data_folder, data_root, signals};
use crate::process::{self, Outcome, Service, Signal};
use crate::stack::{Stack, write_private};
use anyhow::{Context, Result, bail};
use sqlx::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything needed to run the nodes of one stack.
pub struct Cluster<'a> {
    pub(super) stack: &'a Stack,
    pub(super) account: Account,
    pub(super) installation: Installation,
    pub(super) secret: Credentials,
}

/// What was done for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was as it should be.
    Nothing,
    /// It was started.
    Started,
    /// It was frozen and goes on.
    Thawed,
    /// It follows the present writer now.
    Redirected,
    /// It is a fresh copy of the writer.
    Copied,
}

/// Whether a node answers.
pub async fn ready(stack: &Stack, node: Node) -> bool {
    match connect(stack, node, "postgres").await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
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

    /// Brings all three nodes up, the standbys following the present writer, whichever that is. Data
    /// stays: a node that was promoted over is never started as it is.
    ///
    /// # Errors
    /// A node cannot be made, does not start, or does not follow.
    pub async fn ensure(&self) -> Result<Vec<(Node, Done)>> {
        let survey = Survey::of(self.stack);
        if survey.is_empty() {
            self.make_first()?;
        }
        let writer = Survey::of(self.stack).writer().context(
            "No node holds the newest timeline as a writer. Its standby can take over: \
             cargo holdfast db promote",
        )?;
        let mut done = vec![(writer, self.bring_back(writer).await?)];
        for node in Node::ALL {
            if node != writer {
                done.push((node, self.join(node, writer).await?));
            }
        }
        if self.commits(writer) == Commits::Alone {
            self.settle(writer, None, Commits::WithOneStandby)?;
        }
        Ok(done)
    }

    /// Starts the node that wrote last, or lets it go on.
    async fn bring_back(&self, writer: Node) -> Result<Done> {
        if signals::is_frozen(self.stack, writer) {
            signals::thaw(self.stack, writer).await?;
            return Ok(Done::Thawed);
        }
        let started = self.start(writer, None, self.commits(writer)).await?;
        Ok(if started {
            Done::Started
        } else {
            Done::Nothing
        })
    }

    /// Alone until both standbys have been made for the first time, and never again.
    pub(super) fn commits(&self, writer: Node) -> Commits {
        let file = self.folder(writer).join(configuration::FILE);
        if fs::read_to_string(file).is_ok_and(|text| text.contains("'ANY 1")) {
            Commits::WithOneStandby
        } else {
            Commits::Alone
        }
    }

    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.installation.program(name));
        command.envs(self.installation.environment());
        command
    }

    pub(super) fn folder(&self, node: Node) -> PathBuf {
        data_folder(self.stack, node)
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

    /// Starts a node as the writer or as the standby of `upstream`. Answers whether it had to be.
    pub(super) async fn start(
        &self,
        node: Node,
        upstream: Option<Node>,
        commits: Commits,
    ) -> Result<bool> {
        self.settle(node, upstream, commits)?;
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

    /// Writes down whom a node follows, and tells it if it runs. What was altered by hand meanwhile
    /// must not overrule it.
    pub(super) fn settle(
        &self,
        node: Node,
        upstream: Option<Node>,
        commits: Commits,
    ) -> Result<()> {
        let text = configuration::settings(self.stack, &self.secret, node, (upstream, commits));
        self.write(&self.folder(node).join(configuration::FILE), &text)?;
        let altered = self.folder(node).join(configuration::ALTERED);
        let before = fs::read_to_string(&altered).unwrap_or_default();
        let after = configuration::without_overruling(&before);
        if after != before {
            self.write(&altered, &after)?;
        }
        if let Some(record) = process::running(self.stack, node.process()) {
            process::send(record.pid, Signal::Reload);
        }
        Ok(())
    }

    pub(super) fn write(&self, path: &Path, text: &str) -> Result<()> {
        write_private(path, text.as_bytes())?;
        self.give(path)
    }

    pub(super) fn give(&self, path: &Path) -> Result<()> {
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
