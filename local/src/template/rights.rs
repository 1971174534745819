//! What the template's roles may do.

use super::Template;
use super::yaml::Node;

/// A statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// The name of the role's or the policy's resource.
    pub holder: &'a str,
    /// Where it begins, from 1.
    pub line: usize,
    /// `Allow` or `Deny`.
    pub effect: &'a str,
    /// What may be done: `sqs:SendMessage`.
    pub actions: Vec<&'a str>,
    /// To what, as it is written: `MailQueue.Arn`, `${MediaBucket.Arn}/uploads/*`.
    pub resources: Vec<&'a str>,
}

impl Template {
    /// Every statement of every role and of every policy that roles share, also those that stand
    /// under a condition.
    pub fn statements(&self) -> Vec<Statement<'_>> {
        let resources = self.root.get("Resources").map_or(&[][..], Node::entries);
        let statements = resources.iter().flat_map(|(holder, resource)| {
            let kind = resource.get("Type").and_then(Node::text);
            let documents = match kind {
                Some("AWS::IAM::Role") => resource.at(&["Properties", "Policies"]).map(Node::items),
                Some("AWS::IAM::ManagedPolicy") => {
                    resource.get("Properties").map(std::slice::from_ref)
                }
                _ => None,
            };
            let documents = documents.unwrap_or_default().iter();
            documents
                .filter_map(|policy| policy.at(&["PolicyDocument", "Statement"]))
                .flat_map(Node::items)
                .flat_map(alternatives)
                .map(move |node| statement(holder, node))
        });
        statements.collect()
    }

    /// The names of the resources that attach or write policies in another way than `statements`
    /// knows: policies of a function's own, or inline in a user or group.
    pub fn other_policies(&self) -> Vec<&str> {
        let resources = self.root.get("Resources").map_or(&[][..], Node::entries);
        let has_own = |resource: &Node| match resource.get("Type").and_then(Node::text) {
            Some("AWS::Serverless::Function") => resource.at(&["Properties", "Policies"]).is_some(),
            Some("AWS::IAM::Role" | "AWS::IAM::ManagedPolicy") => false,
            kind => kind.is_some_and(|kind| kind.starts_with("AWS::IAM::")),
        };
        let own = resources.iter().filter(|(_, resource)| has_own(resource));
        own.map(|(name, _)| name.as_str()).collect()
    }
}

/// Both sides of an `!If`; what is not one is itself.
fn alternatives(node: &Node) -> Vec<&Node> {
    if node.tag.as_deref() != Some("If") {
        return vec![node];
    }
    let sides = node.items().iter().skip(1);
    // `AWS::NoValue` is no statement.
    sides.filter(|side| !side.entries().is_empty()).collect()
}

fn statement<'a>(holder: &'a str, node: &'a Node) -> Statement<'a> {
    Statement {
        holder,
        line: node.line,
        effect: node.get("Effect").and_then(Node::text).unwrap_or_default(),
        actions: texts(node.get("Action")),
        resources: texts(node.get("Resource")),
    }
}

/// One text or several; of `!Sub [text, names]` the text.
fn texts(node: Option<&Node>) -> Vec<&str> {
    let Some(node) = node else {
        return Vec::new();
    };
    let is_one = node.text().is_some() || node.tag.is_some();
    let nodes = if is_one {
        std::slice::from_ref(node)
    } else {
        node.items()
    };
    nodes.iter().filter_map(first_text).collect()
}

fn first_text(node: &Node) -> Option<&str> {
    node.text().or_else(|| node.items().first()?.text())
}
