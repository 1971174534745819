//! Hands writing over to a standby, whatever the present writer is at: it may be live, frozen or
//! dead, and is never waited for.
//!
//! No acknowledged commit is lost. Any one standby may have acknowledged it, so the node to be
//! promoted first gets all that the other standby has, which is woken for that if it must be, or
//! all that the old writer has, if that answers. The other standby is taken away from the old
//! writer before, so that none can be acknowledged that the promoted node does not get.

use super::configuration::Commits;
use super::survey::{Condition, Survey};
use super::{Cluster, Done, Node, connect, role, signals};
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};

/// How long a standby may take to get what another one has.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
/// How long the old writer gets to let its clients go.
const FAREWELL: Duration = Duration::from_millis(300);

/// How a promotion went.
#[derive(Debug)]
pub struct Promotion {
    /// The node that writes now.
    pub node: Node,
    /// From the command to PostgreSQL's word that it is promoted.
    pub promoted_after: Duration,
    /// From the command to the first commit that was acknowledged.
    pub writes_after: Duration,
    /// What was done for nodes that had to be brought back: they may have had what no other node has,
    /// or a commit needed a second node.
    pub joined: Vec<(Node, Done)>,
}

/// A standby that answers, and how much it has got.
struct Candidate {
    node: Node,
    connection: PgConnection,
    received: i64,
}

impl Cluster<'_> {
    /// Promotes the named standby, or the one that has got most.
    ///
    /// # Errors
    /// There is no live standby, or the named one is none.
    pub async fn promote(&self, named: Option<Node>) -> Result<Promotion> {
        let begin = Instant::now();
        let survey = Survey::of(self.stack);
        let old = survey.writer();
        if let (Some(named), true) = (named, named == old) {
            bail!("The {} node is the writer.", named.name());
        }
        let old_end = match old {
            Some(old) => role(self.stack, old).await.map(|role| role.position),
            None => None,
        };
        let mut joined = Vec::new();
        if old_end.is_none() {
            joined = self.wake_standbys(&survey, old).await?;
        }
        let mut candidates = self.candidates(&Survey::of(self.stack)).await;
        // The last one is taken: among equals the one that is named first in the configuration.
        candidates.reverse();
        candidates.sort_by_key(|candidate| (named == Some(candidate.node), candidate.received));
        let mut chosen = candidates
            .pop()
            .filter(|chosen| named.is_none_or(|named| named == chosen.node))
            .context("No live standby can be promoted. What there is: cargo holdfast db")?;
        let others: Vec<Node> = Node::ALL
            .into_iter()
            .filter(|node| *node != chosen.node)
            .collect();
        self.settle(chosen.node, old, Commits::WithOneStandby)?;
        self.keep_slots(chosen.node, &others).await?;
        for other in &mut candidates {
            self.catch_up(&mut chosen, other).await?;
        }
        if let (Some(end), true) = (old_end, candidates.is_empty()) {
            wait_received(&mut chosen, end).await?;
        }
        let promoted: bool = sqlx::query_scalar("select pg_promote(true, 30)")
            .fetch_one(&mut chosen.connection)
            .await?;
        if !promoted {
            bail!("The {} node does not end its recovery.", chosen.node.name());
        }
        let promoted_after = begin.elapsed();
        self.settle(chosen.node, None, Commits::WithOneStandby)?;
        if candidates.is_empty() {
            joined.push(self.second_node(chosen.node, old).await?);
        }
        commit_once(&mut chosen.connection).await?;
        let writes_after = begin.elapsed();
        for other in &candidates {
            // What it held back for others is no longer taken from it.
            self.drop_slots(other.node).await?;
        }
        if let Some(old) = old.filter(|old| survey.node(*old).condition == Condition::Running) {
            // It may be dead by now, and its clients find out by themselves.
            let _ = tokio::time::timeout(FAREWELL, dismiss_clients(self.stack, old)).await;
        }
        Ok(Promotion {
            node: chosen.node,
            promoted_after,
            writes_after,
            joined,
        })
    }

    /// Brings back the standbys that hang or are down: while the writer is silent, each of them may
    /// be the only one that has a commit.
    async fn wake_standbys(&self, survey: &Survey, old: Option<Node>) -> Result<Vec<(Node, Done)>> {
        let mut woken = Vec::new();
        for seen in survey.0.iter().filter(|seen| Some(seen.node) != old) {
            match seen.condition {
                Condition::Missing => bail!(
                    "The writer does not answer and the {} node has no data: what only they have \
                     would be lost. Bring the writer back: cargo holdfast up",
                    seen.node.name()
                ),
                Condition::Frozen if seen.is_standby => {
                    signals::thaw(self.stack, seen.node).await?;
                    woken.push((seen.node, Done::Thawed));
                }
                Condition::Stopped if seen.is_standby => {
                    self.start(seen.node, old, Commits::WithOneStandby).await?;
                    woken.push((seen.node, Done::Started));
                }
                _ => {}
            }
        }
        Ok(woken)
    }

    async fn candidates(&self, survey: &Survey) -> Vec<Candidate> {
        let live = survey
            .0
            .iter()
            .filter(|seen| seen.is_standby && seen.condition == Condition::Running);
        let asked = live.map(async |seen| {
            let mut connection = connect(self.stack, seen.node, "postgres").await.ok()?;
            let received = received(&mut connection).await.ok()?;
            Some(Candidate {
                node: seen.node,
                connection,
                received,
            })
        });
        let answers = futures::future::join_all(asked).await;
        answers.into_iter().flatten().collect()
    }

    /// Lets the other standby follow the chosen one, and waits until that has all that the other has.
    async fn catch_up(&self, chosen: &mut Candidate, other: &mut Candidate) -> Result<()> {
        let behind =
            received(&mut chosen.connection).await? < received(&mut other.connection).await?;
        if behind {
            // The old writer may be gone, and with it the only other source.
            self.keep_slots(other.node, &[chosen.node]).await?;
            self.settle(chosen.node, Some(other.node), Commits::WithOneStandby)?;
            wait_received(chosen, received(&mut other.connection).await?).await?;
        }
        self.settle(other.node, Some(chosen.node), Commits::WithOneStandby)?;
        wait_detached(other, chosen.node.port(self.stack)).await?;
        let acknowledged = received(&mut other.connection).await?;
        wait_received(chosen, acknowledged).await
    }

    /// A commit waits for a second node: the one that is nearest to being there, the old writer last.
    async fn second_node(&self, writer: Node, old: Option<Node>) -> Result<(Node, Done)> {
        let mut others = Node::ALL.to_vec();
        others.retain(|node| *node != writer);
        others.sort_by_key(|node| Some(*node) == old);
        let node = *others.first().context("There is one node only.")?;
        Ok((node, self.join(node, writer).await?))
    }
}

/// How much of the log a standby has, in bytes: what it was sent and what it has replayed, whichever
/// is more, since a standby that was just started knows only of the latter.
async fn received(connection: &mut PgConnection) -> Result<i64> {
    let position = sqlx::query_scalar(
        "select (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn)::int8",
    );
    Ok(position.fetch_one(connection).await?)
}

async fn wait_received(standby: &mut Candidate, position: i64) -> Result<()> {
    let begin = Instant::now();
    while received(&mut standby.connection).await? < position {
        if begin.elapsed() > CATCHES_UP_WITHIN {
            bail!(
                "The {} node does not get what the other standby has acknowledged; promote that one.",
                standby.node.name()
            );
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Waits until a standby that was pointed elsewhere no longer listens to the old writer.
async fn wait_detached(standby: &mut Candidate, upstream_port: u16) -> Result<()> {
    let begin = Instant::now();
    loop {
        let stale: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_wal_receiver where sender_port <> $1)",
        )
        .bind(i32::from(upstream_port))
        .fetch_one(&mut standby.connection)
        .await?;
        if !stale {
            return Ok(());
        }
        if begin.elapsed() > CATCHES_UP_WITHIN {
            bail!(
                "The {} node holds on to the old writer.",
                standby.node.name()
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A commit of its own that leaves nothing in any table. It returns once a standby has it.
async fn commit_once(connection: &mut PgConnection) -> Result<()> {
    connection
        .execute("select pg_logical_emit_message(true, 'holdfast', 'promoted')")
        .await?;
    Ok(())
}

/// Ends the connections of a node that was promoted over: its commits wait for ever.
async fn dismiss_clients(stack: &Stack, node: Node) -> Result<()> {
    let mut connection = connect(stack, node, "postgres").await?;
    connection
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        .await?;
    Ok(connection.close().await?)
}

/// What a promotion did, in words.
impl std::fmt::Display for Promotion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the {} node writes: promoted after {} ms, first commit acknowledged after {} ms",
            self.node.name(),
            self.promoted_after.as_millis(),
            self.writes_after.as_millis()
        )
    }
}
