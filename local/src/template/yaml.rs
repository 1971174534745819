//! YAML with its tags, its anchors put in place and its merges done, as the tools that deploy a
//! template read it.

use anyhow::{Context, Result, bail};
use saphyr_parser::{Event, Parser};
use std::collections::HashMap;

/// A value, where it stands, and its tag without the `!`: `Ref`, `Sub`, …
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) tag: Option<String>,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    /// In the file's order; keys are texts.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key; `None` too when this is no map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        entries
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The value at the end of a path of keys.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

/// Reads one document.
///
/// # Errors
/// It is no YAML.
pub(super) fn parse(text: &str) -> Result<Node> {
    let mut reading = Reading::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.context("The template is no YAML")?;
        reading.take(event, span.start.line())?;
    }
    reading.document.context("The template is empty.")
}

#[derive(Default)]
struct Reading {
    /// What is begun and not ended, with the anchor that it gets.
    open: Vec<(Node, usize, Option<String>)>,
    anchors: HashMap<usize, Node>,
    document: Option<Node>,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<()> {
        let node = |tag: Option<String>, value| Node { line, tag, value };
        match event {
            Event::Scalar(text, _, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                self.end(node(tag, Value::Text(text.into_owned())), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                let begun = node(tag, Value::List(Vec::new()));
                self.open.push((begun, anchor, None));
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                let begun = node(tag, Value::Map(Vec::new()));
                self.open.push((begun, anchor, None));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((node, anchor, _)) => self.end(merged(node), anchor),
                None => bail!("Line {line} ends what was not begun."),
            },
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                self.end(known.context("An alias has no anchor.")?, 0)
            }
            _ => Ok(()),
        }
    }

    /// Puts what has ended where it belongs.
    fn end(&mut self, node: Node, anchor: usize) -> Result<()> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some((parent, _, key)) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        match (&mut parent.value, key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => entries.push((key, node)),
            (Value::Map(_), None) => {
                *key = Some(node.text().context("A key is no text.")?.to_owned());
            }
            (Value::Text(_), _) => bail!("A text has parts."),
        }
        Ok(())
    }
}

/// A map with what its `<<` brings. Its own keys win, then those of the earlier of several maps.
fn merged(node: Node) -> Node {
    let Value::Map(entries) = node.value else {
        return node;
    };
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key == "<<");
    for (_, merge) in merges {
        let maps = match merge.value {
            Value::List(maps) => maps,
            value => vec![Node { value, ..merge }],
        };
        for (key, value) in maps.iter().flat_map(Node::entries) {
            if !own.iter().any(|(known, _)| known == key) {
                own.push((key.clone(), value.clone()));
            }
        }
    }
    Node {
        value: Value::Map(own),
        ..node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_put_in_place_and_own_keys_win_over_merged_ones() {
        let text = "a: &a {x: 1, y: !Ref Two}\nb:\n  <<: [*a, {x: 9, z: 3}]\n  y: own\n";
        let node = parse(text).unwrap();
        let of = |path: &[&str]| node.at(path).unwrap().text().unwrap();
        assert_eq!(node.at(&["a", "y"]).unwrap().tag.as_deref(), Some("Ref"));
        assert_eq!(
            (of(&["b", "x"]), of(&["b", "y"]), of(&["b", "z"])),
            ("1", "own", "3")
        );
        assert_eq!(node.get("b").unwrap().entries().len(), 3);
        assert!(parse("a: [").is_err());
    }
}
