//! The stack's own database nodes, put back as they were whatever a test came to.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use local::postgres::{self, Cluster, DATABASE, Node, Promotion, signals};
use sqlx::PgConnection;
use uuid::Uuid;

/// The nodes of the running stack.
pub(crate) struct Nodes {
    stack: local::Stack,
}

impl Nodes {
    /// Runs a test that may do anything to the nodes. They are whole before it, and after it, and
    /// the node that other tests write to is the writer again.
    pub(crate) async fn whole_again_after(test: impl AsyncFnOnce(&Self)) {
        let nodes = Self {
            stack: tests::stack::local(),
        };
        nodes.mend().await;
        let outcome = AssertUnwindSafe(test(&nodes)).catch_unwind().await;
        nodes.mend().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }

    async fn mend(&self) {
        let cluster = self.cluster().await;
        cluster.ensure().await.unwrap();
        if postgres::writer(&self.stack).await.unwrap() != Node::Primary {
            cluster.promote(Some(Node::Primary)).await.unwrap();
            cluster.rebuild(None).await.unwrap();
        }
    }

    async fn cluster(&self) -> Cluster<'_> {
        Cluster::prepare(&self.stack).await.unwrap()
    }

    pub(crate) async fn promote(&self) -> Promotion {
        let promotion = self.cluster().await.promote(None).await.unwrap();
        println!("{promotion}");
        promotion
    }

    pub(crate) async fn kill(&self, node: Node) {
        assert!(signals::kill(&self.stack, node).await.unwrap());
    }

    pub(crate) async fn freeze(&self, node: Node) {
        signals::freeze(&self.stack, node).await.unwrap();
    }

    pub(crate) async fn thaw(&self, node: Node) {
        assert!(signals::thaw(&self.stack, node).await.unwrap());
    }

    /// A connection that no right restricts.
    pub(crate) async fn connect(&self, node: Node) -> PgConnection {
        postgres::connect(&self.stack, node, DATABASE)
            .await
            .unwrap()
    }

    /// How many of these orders a node has.
    pub(crate) async fn count(&self, node: Node, orders: &[Uuid]) -> i64 {
        sqlx::query_scalar("select count(*) from orders where id = any($1)")
            .bind(orders)
            .fetch_one(&mut self.connect(node).await)
            .await
            .unwrap()
    }

    /// How many orders of one product a node has, asked for or not.
    pub(crate) async fn count_of(&self, node: Node, sku: &str) -> i64 {
        sqlx::query_scalar("select count(*) from order_lines where sku = $1")
            .bind(sku)
            .fetch_one(&mut self.connect(node).await)
            .await
            .unwrap()
    }
}
