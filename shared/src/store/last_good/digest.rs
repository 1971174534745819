//! What is kept, in one number, so that two states of it can be compared.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::keys;

/// The SHA-256 of what is kept, by its keys, in hexadecimal digits. Left out is what no event tells
/// of: how many units there are, what is trending, and how far the sweeper has compared.
pub fn digest(kept: &BTreeMap<String, Vec<u8>>) -> String {
    let mut sum = Sha256::new();
    let parts = kept
        .iter()
        .filter(|(key, _)| ![keys::TRENDING, keys::WALK].contains(&key.as_str()));
    for (key, content) in parts {
        // What is not JSON counts as it is.
        let read = serde_json::from_slice(content).map(|value| without_units(value).to_string());
        let content = read.unwrap_or_else(|_| String::from_utf8_lossy(content).into_owned());
        for text in [key.as_str(), content.as_str()] {
            sum.update(text.len().to_be_bytes());
            sum.update(text);
        }
    }
    let digest = sum.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn without_units(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_units).collect(),
        Value::Object(mut fields) => {
            fields.remove("available");
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name, without_units(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(parts: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let part = |(key, content): &(&str, &str)| ((*key).to_owned(), content.as_bytes().to_vec());
        parts.iter().map(part).collect()
    }

    #[test]
    fn what_no_event_tells_of_is_left_out() {
        let before = [("skus/A.json", r#"{"available": 3, "price_minor": 5}"#)];
        let after = [
            ("skus/A.json", r#"{"price_minor":5,"available":2}"#),
            (keys::TRENDING, "[]"),
            (keys::WALK, "{}"),
        ];
        assert_eq!(digest(&kept(&before)), digest(&kept(&after)));
    }

    #[test]
    fn every_other_difference_counts() {
        let one = digest(&kept(&[("a", "1")]));
        for other in [
            kept(&[]),
            kept(&[("a", "2")]),
            kept(&[("b", "1")]),
            kept(&[("a", "1"), ("b", "1")]),
            kept(&[("a", "not JSON")]),
        ] {
            assert_ne!(digest(&other), one);
        }
    }
}
