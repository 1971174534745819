//! Asks all nodes at once what they are, and waits for no hung one longer than it must.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::node::Member;
use super::topology::{Role, choose};
use crate::resilience::policies::{NODE_ANSWER_GRACE, NODE_ANSWER_TIMEOUT};

/// What one node said.
pub(super) type Answer = Result<Role, sqlx::Error>;

/// What the nodes said, in their order; nothing from one that was not waited for.
///
/// The first node that accepts writes is not taken at once: an old primary may be
/// quicker than the one that was promoted over it. The others get a short grace.
/// Nodes that hung a moment ago get it only while no writer is known.
pub(super) async fn ask_all(nodes: &[Arc<Member>], seen: i32) -> Vec<Option<Answer>> {
    let awaited: Vec<bool> = nodes.iter().map(|node| node.is_awaited()).collect();
    let question = async |index: usize| (index, nodes[index].ask().await);
    let mut asked: FuturesUnordered<_> = (0..nodes.len()).map(question).collect();
    let mut answers: Vec<Option<Answer>> = nodes.iter().map(|_| None).collect();
    let mut until = Instant::now() + NODE_ANSWER_TIMEOUT;
    while let Ok(Some((index, answer))) = timeout_at(until, asked.next()).await {
        answers[index] = Some(answer);
        let found = choose(&roles(&answers), seen).is_some();
        let complete = (0..nodes.len()).all(|node| answers[node].is_some() || !awaited[node]);
        if found && complete {
            break;
        }
        if found || complete {
            until = until.min(Instant::now() + NODE_ANSWER_GRACE);
        }
    }
    answers
}

/// The roles in what the nodes said.
pub(super) fn roles(answers: &[Option<Answer>]) -> Vec<Option<Role>> {
    let role = |answer: &Option<Answer>| answer.as_ref()?.as_ref().ok().copied();
    answers.iter().map(role).collect()
}

#[cfg(test)]
mod tests {
    use super::super::node::tests::{refusing, silent};
    use super::*;

    #[tokio::test]
    async fn hung_node_is_waited_for_once() {
        let (_listener, hung) = silent().await;
        let nodes = [Arc::new(refusing().await), Arc::new(hung)];
        let began = Instant::now();
        let answers = ask_all(&nodes, 0).await;
        assert!(answers[0].as_ref().is_some_and(Result::is_err));
        assert!(began.elapsed() >= NODE_ANSWER_TIMEOUT);
        assert!(nodes[1].is_away() && !nodes[0].is_away());

        let began = Instant::now();
        let answers = ask_all(&nodes, 0).await;
        assert!(answers[0].is_some() && answers[1].is_none());
        assert!(began.elapsed() < NODE_ANSWER_TIMEOUT);
    }
}
