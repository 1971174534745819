//! The connection budget: what all environments together may open on one database node, read from
//! the template, against what the node takes.

use anyhow::{Context, Result, bail};

/// Connections of a node that are not for the functions: migrations, an operator, superusers.
const KEPT_BACK: u32 = 20;

/// What the template asks of one node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Each function with a database, and how many environments of it there can be.
    functions: Vec<(String, u32)>,
    /// Connections of one environment to one node.
    pool_max: u32,
    /// What a node takes.
    limit: u32,
}

/// Reads the template's parameters, functions and their concurrency.
///
/// # Errors
/// A function has a database and no bound, or a number cannot be found.
pub(crate) fn of(template: &str) -> Result<Budget> {
    let mut functions = Vec::new();
    for block in blocks(template) {
        let Some(code) = value(&block, "CodeUri: target/lambda/") else {
            continue;
        };
        let name = code.trim_end_matches('/');
        if !block
            .iter()
            .any(|line| line.trim().starts_with("DB_SECRET_ID:"))
        {
            continue;
        }
        let bound = value(&block, "ReservedConcurrentExecutions: ").with_context(|| {
            format!("{name} has no ReservedConcurrentExecutions, so its connections have no bound.")
        })?;
        let bound = match bound.strip_prefix("!Ref ") {
            Some(parameter) => default_of(template, parameter)?,
            None => bound
                .parse()
                .with_context(|| format!("{name}: `{bound}` is no number."))?,
        };
        functions.push((name.to_owned(), bound));
    }
    Ok(Budget {
        functions,
        pool_max: default_of(template, "PgPoolMax")?,
        limit: default_of(template, "DbMaxConnections")?,
    })
}

impl Budget {
    /// Adds up.
    ///
    /// # Errors
    /// It is more than a node takes; the words say which function asks for how much.
    pub(crate) fn check(&self) -> Result<String> {
        let environments: u32 = self.functions.iter().map(|(_, bound)| bound).sum();
        let asked = environments * self.pool_max;
        let allowed = self.limit.saturating_sub(KEPT_BACK);
        if asked > allowed {
            let each: Vec<_> = self
                .functions
                .iter()
                .map(|(name, bound)| format!("{name} {bound}"))
                .collect();
            bail!(
                "The functions may open {asked} connections to one node: ({}) × PgPoolMax {}. \
                 It takes {allowed} (DbMaxConnections {} less {KEPT_BACK} kept back). \
                 Lower a …Concurrency or PgPoolMax, or raise DbMaxConnections and the node's max_connections.",
                each.join(" + "),
                self.pool_max,
                self.limit
            );
        }
        Ok(format!("at most {asked} of {allowed} per node"))
    }
}

/// The resources, each as its lines.
fn blocks(template: &str) -> Vec<Vec<&str>> {
    let mut blocks = vec![Vec::new()];
    for line in template.lines() {
        let begins = line.starts_with("  ")
            && !line[2..].starts_with([' ', '#', '-'])
            && line.trim_end().ends_with(':');
        if begins {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks
}

fn value<'a>(block: &[&'a str], key: &str) -> Option<&'a str> {
    block.iter().find_map(|line| line.trim().strip_prefix(key))
}

fn default_of(template: &str, parameter: &str) -> Result<u32> {
    let value = parameter_default(template, parameter)?;
    value
        .parse()
        .with_context(|| format!("The default of {parameter} is no number: `{value}`."))
}

/// The default of a parameter that the template has on one line.
///
/// # Errors
/// It has none.
pub(crate) fn parameter_default<'a>(template: &'a str, name: &str) -> Result<&'a str> {
    let begin = format!("  {name}: {{");
    let line = template.lines().find(|line| line.starts_with(&begin));
    let (_, rest) = line
        .and_then(|line| line.split_once("Default: "))
        .with_context(|| format!("The template has no default of {name}."))?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    Ok(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(limit: u32, bound: &str) -> String {
        format!(
            "Parameters:\n  PgPoolMax: {{Type: Number, Default: 2, MinValue: 1}}\n  \
             DbMaxConnections: {{Type: Number, Default: {limit}}}\n  \
             ShopConcurrency: {{Type: Number, Default: 50}}\nResources:\n  Shop:\n    \
             Properties:\n      CodeUri: target/lambda/shop/\n      {bound}\n      \
             DB_SECRET_ID: x\n  Warm:\n    Properties:\n      CodeUri: target/lambda/warm/\n"
        )
    }

    #[test]
    fn environments_times_pool_must_fit() {
        let bound = "ReservedConcurrentExecutions: !Ref ShopConcurrency";
        let fits = of(&template(120, bound)).unwrap();
        assert_eq!(fits.check().unwrap(), "at most 100 of 100 per node");
        let error = of(&template(119, bound)).unwrap().check().unwrap_err();
        assert!(error.to_string().contains("shop 50"), "{error}");
    }

    #[test]
    fn a_function_without_a_bound_is_named() {
        let error = of(&template(500, "MemorySize: 256")).unwrap_err();
        assert!(error.to_string().starts_with("shop has no"), "{error}");
    }

    #[test]
    fn defaults_are_the_templates_own() {
        let template = include_str!("../../../template.yaml");
        assert_eq!(parameter_default(template, "LimitPerUser").unwrap(), "100");
        assert!(parameter_default(template, "Stage").is_err());
        assert!(of(template).unwrap().check().is_ok());
    }
}
