//! What runs of a deployed function: processes of this machine.

use std::collections::BTreeMap;

use local::process::environments_of;

/// What an environment of a function was started with, among it the credentials of its role; none
/// when none runs on the running stack.
pub fn variables(function: &str) -> Option<BTreeMap<String, String>> {
    let pid = environments_of(&crate::stack::local(), function).pop()?;
    let text = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    Some(
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}
