//! `template.yaml`, read as the tools that deploy it read it: its parameters, its functions, and
//! what each function is told.

mod resolve;
mod rights;
mod yaml;

use anyhow::{Context, Result};
use resolve::{Resolved, Resolver};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use yaml::Node;

pub use rights::Statement;

/// The file's name, in the project's folder.
pub const TEMPLATE: &str = "template.yaml";

const FUNCTION: &str = "AWS::Serverless::Function";
const CODE: &str = "target/lambda/";

/// A template.
pub struct Template {
    root: Node,
}

/// One function's resource.
pub struct Function<'a> {
    /// Its folder in `functions`.
    pub name: String,
    /// The name of its resource.
    pub resource: &'a str,
    /// Where that begins, from 1.
    pub line: usize,
    /// The paths that the API routes to it.
    pub paths: Vec<String>,
    node: &'a Node,
}

/// Parameters and their values.
pub type Values = BTreeMap<String, String>;

impl Template {
    /// Reads the project's.
    ///
    /// # Errors
    /// It is missing, or no YAML.
    pub fn of(root: &Path) -> Result<Self> {
        let path = root.join(TEMPLATE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("Cannot read {}.", path.display()))?;
        Self::parse(&text)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// It is no YAML.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self {
            root: yaml::parse(text)?,
        })
    }

    /// Every function with code of ours, in the template's order.
    pub fn functions(&self) -> Vec<Function<'_>> {
        let resources = self.root.get("Resources").map_or(&[][..], Node::entries);
        resources.iter().filter_map(function).collect()
    }

    /// The default of a parameter.
    ///
    /// # Errors
    /// It has none.
    pub fn default_of(&self, name: &str) -> Result<&str> {
        let default = self.root.at(&["Parameters", name, "Default"]);
        let default = default.and_then(Node::text);
        default.with_context(|| format!("The template has no default of {name}."))
    }

    /// A value for each parameter: the given one, else the default.
    ///
    /// # Errors
    /// Every fault of what is given, one per entry.
    pub fn values(&self, given: &Values) -> Result<Values, Vec<String>> {
        let mut faults: Vec<String> = given
            .keys()
            .filter(|name| self.root.at(&["Parameters", name]).is_none())
            .map(|name| format!("{name} is no parameter of the template"))
            .collect();
        let mut values = Values::new();
        let parameters = self.root.get("Parameters").map_or(&[][..], Node::entries);
        for (name, parameter) in parameters {
            let default = parameter.get("Default").and_then(Node::text);
            match given.get(name).map(String::as_str).or(default) {
                Some(value) => {
                    faults.extend(fault(name, parameter, value));
                    values.insert(name.clone(), value.to_owned());
                }
                None => faults.push(format!("{name} is missing: it has no default")),
            }
        }
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }

    /// What a function is told, with these values of all parameters. What is known only once it is
    /// deployed, as the address of a queue, has a stand-in of the same form.
    ///
    /// # Errors
    /// The template has something that is not understood here.
    pub fn environment(&self, function: &Function<'_>, values: &Values) -> Result<Values> {
        let resolver = self.with(values);
        let globals = self.root.at(&["Globals", "Function", "Environment"]);
        let own = function.property(&["Environment"]);
        let mut environment = Values::new();
        for part in [globals, own].into_iter().flatten() {
            for (name, value) in part.get("Variables").map_or(&[][..], Node::entries) {
                match resolver.resolve(value)? {
                    Resolved::Nothing => environment.remove(name),
                    value => environment.insert(name.clone(), value.text()?),
                };
            }
        }
        Ok(environment)
    }

    /// The names of all variables that a function may be told of, whatever the parameters: its own,
    /// and, apart from them, those that every function gets.
    pub fn variables(&self, function: &Function<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
        let names = |environment: Option<&Node>| {
            let variables = environment.and_then(|part| part.get("Variables"));
            let entries = variables.map_or(&[][..], Node::entries).iter();
            entries.map(|(name, _)| name.clone()).collect()
        };
        (
            names(function.property(&["Environment"])),
            names(self.root.at(&["Globals", "Function", "Environment"])),
        )
    }

    /// How many environments of a function there can be at once; `None` when nothing bounds them.
    ///
    /// # Errors
    /// It is no number.
    pub fn concurrency(&self, function: &Function<'_>, values: &Values) -> Result<Option<u32>> {
        let Some(bound) = function.property(&["ReservedConcurrentExecutions"]) else {
            return Ok(None);
        };
        let bound = self.with(values).resolve(bound)?.text()?;
        let number = bound.parse();
        Ok(Some(number.with_context(|| {
            format!("{}: `{bound}` is no number.", function.name)
        })?))
    }

    fn with<'a>(&'a self, values: &'a Values) -> Resolver<'a> {
        Resolver {
            template: self,
            values,
        }
    }

    fn is_list(&self, parameter: &str) -> bool {
        let kind = self.root.at(&["Parameters", parameter, "Type"]);
        kind.and_then(Node::text) == Some("CommaDelimitedList")
    }

    fn type_of(&self, resource: &str) -> Option<&str> {
        self.root.at(&["Resources", resource, "Type"])?.text()
    }
}

impl Function<'_> {
    /// Whether it has a login at the database.
    pub fn has_database(&self) -> bool {
        self.property(&["Environment", "Variables", "DB_SECRET_ID"])
            .is_some()
    }

    /// A property that is a text, its functions of CloudFormation left as they are.
    pub fn text(&self, property: &str) -> Option<&str> {
        self.property(&[property])?.text()
    }

    fn property(&self, path: &[&str]) -> Option<&Node> {
        self.node.get("Properties")?.at(path)
    }
}

fn function((resource, node): &(String, Node)) -> Option<Function<'_>> {
    if node.get("Type")?.text()? != FUNCTION {
        return None;
    }
    let code = node.at(&["Properties", "CodeUri"])?.text()?;
    let events = node.at(&["Properties", "Events"]);
    let events = events.map_or(&[][..], Node::entries).iter();
    Some(Function {
        name: code.strip_prefix(CODE)?.trim_end_matches('/').to_owned(),
        resource,
        // A map begins on the line below its name.
        line: node.line - 1,
        paths: events.filter_map(path).collect(),
        node,
    })
}

/// The path that an event routes; the API's default route has none.
fn path((_, event): &(String, Node)) -> Option<String> {
    let path = event.at(&["Properties", "Path"])?.text();
    path.map(ToOwned::to_owned)
}

/// What is wrong with a parameter's value by its own rules. Patterns are left to CloudFormation.
fn fault(name: &str, parameter: &Node, value: &str) -> Option<String> {
    if let Some(allowed) = parameter.get("AllowedValues") {
        let allowed: Vec<&str> = allowed.items().iter().filter_map(Node::text).collect();
        if !allowed.contains(&value) {
            let allowed = allowed.join(", ");
            return Some(format!("{name} must be one of {allowed}, not {value:?}"));
        }
    }
    if parameter.get("Type").and_then(Node::text) != Some("Number") {
        return None;
    }
    let Ok(number) = value.parse::<f64>() else {
        return Some(format!("{name} must be a number, not {value:?}"));
    };
    let bound = |key| parameter.get(key)?.text()?.parse::<f64>().ok();
    if bound("MinValue").is_some_and(|least| number < least)
        || bound("MaxValue").is_some_and(|most| number > most)
    {
        return Some(format!("{name} is out of bounds: {value}"));
    }
    None
}

#[cfg(test)]
mod tests;
