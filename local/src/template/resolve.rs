//! What the functions of CloudFormation in a template come to with some parameters.

use super::Template;
use super::yaml::{Node, Value};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// What something comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    Text(String),
    List(Vec<String>),
    /// `AWS::NoValue`: the key is as if it were not there.
    Nothing,
}

impl Resolved {
    /// # Errors
    /// It is a list or nothing.
    pub(super) fn text(self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text),
            other => bail!("{other:?} is no text."),
        }
    }

    fn list(self) -> Result<Vec<String>> {
        match self {
            Self::List(items) => Ok(items),
            other => bail!("{other:?} is no list."),
        }
    }
}

/// A template with a value for each parameter.
pub(super) struct Resolver<'a> {
    pub(super) template: &'a Template,
    pub(super) values: &'a BTreeMap<String, String>,
}

/// What nobody knows before it is deployed, in a form that passes for the real one.
const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "000000000000";

impl Resolver<'_> {
    /// # Errors
    /// A function that is not known here, or something that is not in the template.
    pub(super) fn resolve(&self, node: &Node) -> Result<Resolved> {
        self.apply(node)
            .with_context(|| format!("Line {} of the template", node.line))
    }

    fn apply(&self, node: &Node) -> Result<Resolved> {
        let argument = |index: usize| {
            let item = node.items().get(index);
            item.with_context(|| format!("An argument is missing: {index}."))
        };
        let text = |index| self.resolve(argument(index)?)?.text();
        Ok(match node.tag.as_deref() {
            None => self.plain(node)?,
            Some("Ref") => self.reference(node.text().unwrap_or_default())?,
            Some("GetAtt") => Resolved::Text(node.text().unwrap_or_default().to_owned()),
            Some("Sub") => Resolved::Text(self.substitute(node)?),
            Some("If") => {
                let holds = self.named_condition(argument(0)?.text().unwrap_or_default())?;
                self.resolve(argument(if holds { 1 } else { 2 })?)?
            }
            Some("Join") => {
                let items = self.resolve(argument(1)?)?.list()?;
                Resolved::Text(items.join(&text(0)?))
            }
            Some("Select") => {
                let index: usize = text(0)?.parse()?;
                let items = self.resolve(argument(1)?)?.list()?;
                let item = items.into_iter().nth(index);
                Resolved::Text(item.with_context(|| format!("There is no item {index}."))?)
            }
            Some("Split") => {
                let parts = text(1)?;
                Resolved::List(parts.split(&text(0)?).map(ToOwned::to_owned).collect())
            }
            Some(other) => bail!("!{other} is not known here."),
        })
    }

    fn plain(&self, node: &Node) -> Result<Resolved> {
        Ok(match &node.value {
            Value::Text(text) => Resolved::Text(text.clone()),
            Value::List(items) => {
                let items = items.iter().map(|item| self.resolve(item)?.text());
                Resolved::List(items.collect::<Result<_>>()?)
            }
            Value::Map(_) => bail!("A map is neither a text nor a list."),
        })
    }

    fn reference(&self, name: &str) -> Result<Resolved> {
        if let Some(value) = self.values.get(name) {
            return Ok(if self.template.is_list(name) {
                let items = value.split(',').map(|item| item.trim().to_owned());
                Resolved::List(items.collect())
            } else {
                Resolved::Text(value.clone())
            });
        }
        let text = match name {
            "AWS::NoValue" => return Ok(Resolved::Nothing),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => match self.template.type_of(name) {
                Some("AWS::SQS::Queue") => {
                    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
                }
                Some(_) => name.to_owned(),
                None => bail!("{name} is neither a parameter nor a resource."),
            },
        };
        Ok(Resolved::Text(text))
    }

    /// `!Sub text`, or `!Sub [text, {Name: value}]`.
    fn substitute(&self, node: &Node) -> Result<String> {
        let (text, names) = match node.items() {
            [text, names, ..] => (text.text(), names.entries()),
            _ => (node.text(), [].as_slice()),
        };
        let mut rest = text.context("!Sub has no text.")?;
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').context("A ${ has no end.")?;
            whole += before;
            whole += &match names.iter().find(|(known, _)| known == name) {
                Some((_, value)) => self.resolve(value)?.text()?,
                // An attribute of a resource.
                None if name.contains('.') => name.to_owned(),
                None => self.reference(name)?.text()?,
            };
            rest = after;
        }
        Ok(whole + rest)
    }

    fn named_condition(&self, name: &str) -> Result<bool> {
        let condition = self.template.root.at(&["Conditions", name]);
        self.condition(condition.with_context(|| format!("There is no condition {name}."))?)
    }

    fn condition(&self, node: &Node) -> Result<bool> {
        let mut each = node.items().iter().map(|item| self.condition(item));
        match node.tag.as_deref() {
            Some("Condition") => self.named_condition(node.text().unwrap_or_default()),
            Some("Not") => Ok(!each.next().context("!Not of nothing.")??),
            Some("And") => each.try_fold(true, |all, one| Ok(all & one?)),
            Some("Or") => each.try_fold(false, |any, one| Ok(any | one?)),
            Some("Equals") => match node.items() {
                [one, other] => Ok(self.resolve(one)? == self.resolve(other)?),
                _ => bail!("!Equals takes two."),
            },
            _ => bail!("Line {} of the template is no condition.", node.line),
        }
    }
}
