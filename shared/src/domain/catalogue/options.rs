//! What distinguishes the variants of a product, by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::OutOfLimits;

/// Option names and values, such as `size: L`: at most 10, names of 1 to 40
/// characters, values of 1 to 100.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
#[schema(value_type = BTreeMap<String, String>, example = json!({"colour": "blue"}))]
pub struct Options(BTreeMap<String, String>);

impl TryFrom<BTreeMap<String, String>> for Options {
    type Error = OutOfLimits;

    fn try_from(options: BTreeMap<String, String>) -> Result<Self, OutOfLimits> {
        if options.len() > 10 {
            return Err(OutOfLimits("must be at most 10 options"));
        }
        let fits = |text: &str, max: usize| {
            (1..=max).contains(&text.trim().chars().count()) && !text.contains(char::is_control)
        };
        if options
            .iter()
            .all(|(name, value)| fits(name, 40) && fits(value, 100))
        {
            Ok(Self(options))
        } else {
            Err(OutOfLimits(
                "must have names of 1 to 40 and values of 1 to 100 characters",
            ))
        }
    }
}

impl From<Options> for BTreeMap<String, String> {
    fn from(options: Options) -> Self {
        options.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_few_and_short() {
        let parse = |json: &str| serde_json::from_str::<Options>(json);
        assert!(parse(r#"{"size": "L"}"#).is_ok());
        assert!(parse(r#"{"": "L"}"#).is_err());
        assert!(parse(r#"{"size": ""}"#).is_err());
        assert!(parse(r#"{"size": 42}"#).is_err());
        let many: BTreeMap<_, _> = (0..11).map(|n| (n.to_string(), "x".to_owned())).collect();
        assert!(Options::try_from(many).is_err());
    }
}
