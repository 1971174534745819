//! Makes a node: the first one from nothing, every other as a copy of the writer.

use super::configuration::{self, Replication};
use super::{Cluster, Node, connect, data_root};
use crate::stack::write_private;
use anyhow::{Context, Result, bail};
use sqlx::{Connection, Executor};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

impl Cluster<'_> {
    /// Makes the first writer, with no data yet.
    pub(super) fn make_first(&self) -> Result<()> {
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

    /// Makes a standby as a fresh copy. What it had is gone.
    pub(super) async fn copy(&self, who: Replication) -> Result<()> {
        self.prepare_replication(who.upstream).await?;
        self.keep_slots(who.upstream, &[who.node]).await?;
        let folder = self.empty_folder(who.node)?;
        let mut command = self.program("pg_basebackup");
        command.arg("--pgdata").arg(&folder).args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--slot",
            who.node.name(),
            "--dbname",
            &configuration::connection(self.stack, &self.secret, who),
        ]);
        run(&mut command, "pg_basebackup")?;
        self.write(&folder.join("standby.signal"), "")?;
        self.write(&self.note(who.node), "")
    }

    /// The role that standbys connect as. Waits for no standby: there may be none.
    async fn prepare_replication(&self, upstream: Node) -> Result<()> {
        let mut connection = connect(self.stack, upstream, "postgres").await?;
        let password = &self.secret.replication_password;
        let role = format!(
            "set synchronous_commit = local;
             do $$ begin
               if not exists (select from pg_roles where rolname = 'replicator') then
                 create role replicator login replication password '{password}';
               end if;
             end $$"
        );
        connection.execute(role.as_str()).await?;
        Ok(connection.close().await?)
    }

    /// Makes the slots that hold back what these standbys have not got yet. One that has lost what
    /// its standby would need is made anew.
    pub(super) async fn keep_slots(&self, upstream: Node, standbys: &[Node]) -> Result<()> {
        let mut connection = connect(self.stack, upstream, "postgres").await?;
        for standby in standbys {
            sqlx::query(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots \
                 where slot_name = $1 and not active and wal_status = 'lost'",
            )
            .bind(standby.name())
            .execute(&mut connection)
            .await?;
            sqlx::query(
                "select pg_create_physical_replication_slot($1, true) \
                 where not exists (select from pg_replication_slots where slot_name = $1)",
            )
            .bind(standby.name())
            .execute(&mut connection)
            .await?;
        }
        Ok(connection.close().await?)
    }

    /// Removes the slots of a node that follows now: nobody would take from them, and they would
    /// hold its log back.
    pub(super) async fn drop_slots(&self, standby: Node) -> Result<()> {
        let mut connection = connect(self.stack, standby, "postgres").await?;
        sqlx::query(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection.close().await?)
    }

    fn note(&self, node: Node) -> PathBuf {
        data_root(self.stack).join(format!("{}.made", node.name()))
    }

    /// Removes what there was, beginning with the note that it is whole.
    fn empty_folder(&self, node: Node) -> Result<PathBuf> {
        let (folder, note) = (self.folder(node), self.note(node));
        if note.exists() {
            fs::remove_file(&note)?;
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("Cannot clear {}.", folder.display()))?;
        }
        self.account.own_folder(&folder)?;
        Ok(folder)
    }
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
