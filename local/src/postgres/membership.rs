//! Who follows whom: brings a node into the present cluster as a standby.

use super::configuration::{Commits, Replication};
use super::nodes::PATIENCE;
use super::survey::{Condition, Survey};
use super::{Cluster, Done, Node, connect, log_of, signals};
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};

/// How long a node that has its data gets to follow before it is copied afresh.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(20);

impl Cluster<'_> {
    /// Makes every node, or the named one, a standby of the present writer, unless it is one.
    ///
    /// # Errors
    /// The writer does not run, is the named node, or a node does not follow it.
    pub async fn rebuild(&self, named: Option<Node>) -> Result<Vec<(Node, Done)>> {
        let survey = Survey::of(self.stack);
        let writer = survey
            .writer()
            .filter(|writer| survey.node(*writer).condition == Condition::Running)
            .context(
                "No writer runs that a node could follow. Promote a standby: cargo holdfast db \
                 promote. Or wake the writer: cargo holdfast up",
            )?;
        if named == Some(writer) {
            bail!(
                "The {} node is the writer. Promote another one first: cargo holdfast db promote",
                writer.name()
            );
        }
        let mut done = Vec::new();
        for node in Node::ALL {
            if node != writer && named.is_none_or(|named| named == node) {
                done.push((node, self.join(node, writer).await?));
            }
        }
        Ok(done)
    }

    /// Makes a node a standby of the writer, by as little as that takes.
    pub(super) async fn join(&self, node: Node, writer: Node) -> Result<Done> {
        let seen = Survey::of(self.stack).node(node);
        let who = Replication {
            node,
            upstream: writer,
        };
        let follows = self.follows(who).await.unwrap_or(false);
        if seen.condition == Condition::Running && seen.is_standby && follows {
            self.settle(node, Some(writer), Commits::WithOneStandby)?;
            return Ok(Done::Nothing);
        }
        if seen.is_standby && seen.condition != Condition::Missing {
            let done = self.redirect(who, seen.condition).await;
            if matches!(done, Ok(done) if done != Done::Nothing) {
                return done;
            }
        }
        // It has what the writer never had, or nothing.
        signals::kill(self.stack, node).await?;
        self.copy(who).await?;
        self.start(node, Some(writer), Commits::WithOneStandby)
            .await?;
        self.wait_follows(who, PATIENCE).await?;
        Ok(Done::Copied)
    }

    /// Lets a standby follow with the data that it has; nothing is done if it cannot.
    async fn redirect(&self, who: Replication, condition: Condition) -> Result<Done> {
        let upstream = Some(who.upstream);
        self.keep_slots(who.upstream, &[who.node]).await?;
        let done = match condition {
            Condition::Frozen => {
                self.settle(who.node, upstream, Commits::WithOneStandby)?;
                signals::thaw(self.stack, who.node).await?;
                Done::Thawed
            }
            Condition::Running => {
                self.settle(who.node, upstream, Commits::WithOneStandby)?;
                Done::Redirected
            }
            Condition::Stopped | Condition::Missing => {
                self.start(who.node, upstream, Commits::WithOneStandby)
                    .await?;
                Done::Started
            }
        };
        match self.wait_follows(who, FOLLOWS_WITHIN).await {
            Ok(()) => {
                self.drop_slots(who.node).await?;
                Ok(done)
            }
            Err(_) => Ok(Done::Nothing),
        }
    }

    pub(super) async fn wait_follows(&self, who: Replication, patience: Duration) -> Result<()> {
        let begin = Instant::now();
        while !self.follows(who).await? {
            if begin.elapsed() > patience {
                bail!(
                    "The {} node does not follow the {} node. Its log: {}",
                    who.node.name(),
                    who.upstream.name(),
                    log_of(self.stack, who.node).display()
                );
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether the upstream sends its changes to the node as they come, so that it can acknowledge them.
    async fn follows(&self, who: Replication) -> Result<bool> {
        let mut upstream = connect(self.stack, who.upstream, "postgres").await?;
        let streaming: bool = sqlx::query_scalar(
            // Before it has reported a position, it acknowledges nothing.
            "select exists (select from pg_stat_replication \
             where state = 'streaming' and flush_lsn is not null and application_name = $1)",
        )
        .bind(who.node.name())
        .fetch_one(&mut upstream)
        .await?;
        Ok(streaming)
    }
}
