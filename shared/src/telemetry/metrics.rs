//! Metrics, as lines of the log that CloudWatch counts (embedded metric format).

use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::clock;

/// Where all metrics of ours are.
const NAMESPACE: &str = "Holdfast";

static STAGE: OnceLock<String> = OnceLock::new();

/// The stage that metrics are counted for; several may share an account. The first one stays.
pub fn set_stage(stage: &str) {
    let _ = STAGE.set(stage.to_owned());
}

/// Writes one line that counts each metric's value for the stage, and once more under one
/// dimension of it, a name and its value.
pub fn count(dimension: (&str, &str), metrics: &[(&str, f64)]) {
    // A log that cannot be written has nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{}", line(dimension, metrics));
}

fn line((dimension, value): (&str, &str), metrics: &[(&str, f64)]) -> Value {
    let definitions: Vec<Value> = metrics
        .iter()
        .map(|(name, _)| json!({"Name": name, "Unit": "Count"}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": clock::now_ms(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE, "Metrics": definitions,
                "Dimensions": [["stage"], ["stage", dimension]],
            }],
        }),
    );
    let stage = STAGE.get().map_or("", String::as_str);
    line.insert("stage".to_owned(), stage.into());
    line.insert(dimension.to_owned(), value.into());
    line.extend(
        metrics
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value))),
    );
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_what_cloudwatch_counts() {
        let line = line(("dependency", "payments"), &[("BreakerOpen", 1.0)]);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Holdfast");
        assert_eq!(
            directive["Dimensions"],
            json!([["stage"], ["stage", "dependency"]])
        );
        assert_eq!(directive["Metrics"][0]["Name"], "BreakerOpen");
        assert_eq!(
            (&line["dependency"], &line["BreakerOpen"]),
            (&json!("payments"), &json!(1.0))
        );
        assert!(line["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
}
