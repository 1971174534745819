//! Texts that people write, each with its limits.

use serde::{Deserialize, Serialize};

use super::OutOfLimits;

/// A text of bounded length: trimmed, without control characters except line breaks.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:tt..=$max:tt, $must:tt, $example:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, min_length = $min, max_length = $max, example = $example)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = OutOfLimits;

            fn try_from(text: String) -> Result<Self, OutOfLimits> {
                if !($min..=$max).contains(&text.trim().chars().count()) {
                    return Err(OutOfLimits($must));
                }
                if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                    return Err(OutOfLimits("must not hold control characters"));
                }
                Ok(Self(text.trim().to_owned()))
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

text! {
    /// What a product or a category is called: 1 to 200 characters.
    Title, 1..=200, "must be 1 to 200 characters", "Stoneware mug"
}
text! {
    /// What is said about a product: at most 20,000 characters.
    Description, 0..=20_000, "must be at most 20,000 characters", "Holds 300 ml and keeps it warm."
}
text! {
    /// What sets a variant apart: 1 to 200 characters.
    VariantTitle, 1..=200, "must be 1 to 200 characters", "Blue"
}
text! {
    /// What a picture shows, for who cannot see it: 1 to 300 characters.
    Alt, 1..=300, "must be 1 to 300 characters", "A blue mug on a table"
}
text! {
    /// Why somebody did something, for whoever asks later: 1 to 200 characters.
    Reason, 1..=200, "must be 1 to 200 characters", "Delivery 4711"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(text: &str) -> Result<Title, OutOfLimits> {
        Title::try_from(text.to_owned())
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(title(&"ü".repeat(200)).is_ok());
        assert!(title(&"u".repeat(201)).is_err());
    }

    #[test]
    fn blank_title_is_refused() {
        for bad in ["", "  ", "\n"] {
            assert!(title(bad).is_err(), "{bad:?}");
        }
        assert_eq!(title(" Mug ").map(|title| title.0), Ok("Mug".to_owned()));
    }

    #[test]
    fn nul_is_refused_because_postgres_cannot_store_it() {
        assert!(title("a\0b").is_err());
    }
}
