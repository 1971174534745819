//! The stage, and whether it is in earnest.

use std::fmt;

/// `local`, `prod`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage(String);

/// Stages that only play shop: these, and those that begin with one of them and a hyphen. Every
/// other name is production, so that a misspelt or a new one gets the strict rules.
const REHEARSALS: [&str; 3] = ["local", "dev", "test"];

impl Stage {
    /// The stage of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the stack on somebody's own machine.
    pub fn is_local(&self) -> bool {
        self.0 == "local"
    }

    /// Whether real customers may be there.
    pub fn is_production(&self) -> bool {
        !REHEARSALS.iter().any(|name| {
            let rest = self.0.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_called_a_rehearsal_is_production() {
        for (name, production) in [
            ("prod", true),
            ("staging", true),
            ("developer", true),
            ("prod-eu", true),
            ("local", false),
            ("dev", false),
            ("dev-ada", false),
            ("test", false),
        ] {
            let stage = Stage::new(name);
            assert_eq!(stage.is_production(), production, "{name}");
        }
    }
}
