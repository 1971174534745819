//! The connection budget: what all environments together may open on one database node, read from
//! the template with a stage's parameters, against what the node takes.

use anyhow::{Context, Result, bail};
use local::template::{Template, Values};

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

/// Reads the functions and their concurrency.
///
/// # Errors
/// A function has a database and no bound, or a number cannot be found.
pub(crate) fn of(template: &Template, values: &Values) -> Result<Budget> {
    let mut functions = Vec::new();
    for function in template.functions() {
        if !function.has_database() {
            continue;
        }
        let name = function.name.clone();
        let bound = template.concurrency(&function, values)?;
        let bound = bound.with_context(|| {
            format!("{name} has no ReservedConcurrentExecutions, so its connections have no bound.")
        })?;
        functions.push((name, bound));
    }
    Ok(Budget {
        functions,
        pool_max: number(values, "PgPoolMax")?,
        limit: number(values, "DbMaxConnections")?,
    })
}

fn number(values: &Values, parameter: &str) -> Result<u32> {
    let value = values.get(parameter);
    let value = value.with_context(|| format!("The template has no parameter {parameter}."))?;
    value
        .parse()
        .with_context(|| format!("{parameter} is no whole number: `{value}`."))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: u32, bound: &str) -> Result<Budget> {
        let text = format!(
            "Parameters:\n  PgPoolMax: {{Type: Number, Default: 2, MinValue: 1}}\n  \
             DbMaxConnections: {{Type: Number, Default: {limit}}}\n  \
             ShopConcurrency: {{Type: Number, Default: 50}}\nResources:\n  Shop:\n    \
             Type: AWS::Serverless::Function\n    Properties:\n      \
             CodeUri: target/lambda/shop/\n      {bound}\n      \
             Environment: {{Variables: {{DB_SECRET_ID: x}}}}\n  Warm:\n    \
             Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: target/lambda/warm/\n"
        );
        let template = Template::parse(&text).unwrap();
        let values = template.values(&Values::new()).unwrap();
        of(&template, &values)
    }

    #[test]
    fn environments_times_pool_must_fit() {
        let bound = "ReservedConcurrentExecutions: !Ref ShopConcurrency";
        let fits = budget(120, bound).unwrap();
        assert_eq!(fits.check().unwrap(), "at most 100 of 100 per node");
        let error = budget(119, bound).unwrap().check().unwrap_err();
        assert!(error.to_string().contains("shop 50"), "{error}");
    }

    #[test]
    fn a_function_without_a_bound_is_named() {
        let error = budget(500, "MemorySize: 256").unwrap_err();
        assert!(error.to_string().starts_with("shop has no"), "{error}");
    }
}
