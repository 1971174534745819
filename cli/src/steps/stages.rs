//! The parameters of each stage: the local one's are what `up` passes, every other stage's are in
//! `samconfig.toml`, where `sam deploy --config-env <stage>` finds them too.

use anyhow::{Context, Result, bail};
use local::template::Values;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// The file's name, in the project's folder. It holds no secret.
pub(crate) const FILE: &str = "samconfig.toml";

#[derive(Deserialize)]
struct Stage {
    deploy: Deploy,
}

#[derive(Deserialize)]
struct Deploy {
    parameters: Parameters,
}

#[derive(Deserialize)]
struct Parameters {
    parameter_overrides: Vec<String>,
}

/// What a stage gives the template's parameters.
///
/// # Errors
/// The file does not have the stage, or says something else than `Name=value`.
pub(crate) fn parameters(root: &Path, stage: &str) -> Result<Values> {
    let path = root.join(FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("Cannot read {}.", path.display()))?;
    read(&text, stage)
}

fn read(text: &str, stage: &str) -> Result<Values> {
    let file: Value = basic_toml::from_str(text).with_context(|| format!("{FILE} is no TOML"))?;
    let Some(found) = file.get(stage) else {
        let known = file.as_object().into_iter().flatten();
        let known = known.filter(|(_, value)| value.is_object());
        let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
        bail!(
            "{FILE} has no stage {stage}, only: local (what `up` passes), {}.",
            known.join(", ")
        );
    };
    let found = Stage::deserialize(found).with_context(|| {
        format!(
            "{FILE}: [{stage}.deploy.parameters] must have \
             parameter_overrides = [\"Name=value\", …]"
        )
    })?;
    let pairs = found.deploy.parameters.parameter_overrides;
    let mut values = Values::new();
    for pair in &pairs {
        let (name, value) = pair
            .split_once('=')
            .with_context(|| format!("{FILE}, {stage}: `{pair}` is not Name=value."))?;
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            bail!("{FILE}, {stage}: {name} is there twice.");
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
version = 0.1
[prod.deploy.parameters]
stack_name = "holdfast-prod"
parameter_overrides = ["Stage=prod", "MailFrom=Shop <a@b.c>", "Query=a=b"]
[dev.deploy.parameters]
parameter_overrides = "Stage=dev"
"#;

    #[test]
    fn parameters_are_those_of_the_stage() {
        let values = read(TWO, "prod").unwrap();
        assert_eq!(values["Stage"], "prod");
        assert_eq!(values["MailFrom"], "Shop <a@b.c>");
        assert_eq!(values["Query"], "a=b");
    }

    #[test]
    fn what_cannot_be_read_says_how_it_should_be() {
        let says = |text: &str, stage, words: &str| {
            let error = format!("{:#}", read(text, stage).unwrap_err());
            assert!(error.contains(words), "{error}");
        };
        says(
            TWO,
            "staging",
            "no stage staging, only: local (what `up` passes), dev, prod",
        );
        says(TWO, "dev", "parameter_overrides = [\"Name=value\", …]");
        says("[", "prod", "is no TOML");
        let twice = TWO.replace("Query=a", "Stage");
        says(&twice, "prod", "Stage is there twice");
        says(
            &TWO.replace("Stage=prod", "Stage"),
            "prod",
            "`Stage` is not Name=value",
        );
    }
}
