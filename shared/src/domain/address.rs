//! Where an order goes.

use serde::{Deserialize, Serialize};

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShippingAddress {
    /// Who receives it.
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// Street and number.
    #[schema(example = "12 St James's Square")]
    pub line1: String,
    /// What line 1 has no room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// The town.
    #[schema(example = "Berlin")]
    pub city: String,
    /// The postal code, as it is written there.
    #[schema(example = "10115")]
    pub postal_code: String,
    /// A state or province, where addresses have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// An ISO 3166-1 alpha-2 code.
    #[schema(example = "DE")]
    pub country: Country,
}

/// An ISO 3166-1 alpha-2 code: two upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = String, example = "DE", pattern = "^[A-Z]{2}$")]
pub struct Country([u8; 2]);

/// The text is not a country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 3166-1 code of two upper-case letters")]
pub struct InvalidCountry;

impl Country {
    /// Where the shop is unless it is told otherwise.
    pub const GERMANY: Self = Self(*b"DE");

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<&str> for Country {
    type Error = InvalidCountry;

    fn try_from(code: &str) -> Result<Self, InvalidCountry> {
        match code.as_bytes() {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(InvalidCountry),
        }
    }
}

impl Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::try_from(code.as_str()).map_err(serde::de::Error::custom)
    }
}

impl ShippingAddress {
    /// The fields at fault, by name, with the reason; empty when all are good.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let required = [
            ("name", Some(&self.name), 100),
            ("line1", Some(&self.line1), 200),
            ("city", Some(&self.city), 100),
            ("postal_code", Some(&self.postal_code), 20),
        ];
        let optional = [
            ("line2", self.line2.as_ref(), 200),
            ("region", self.region.as_ref(), 100),
        ];
        let fields = required
            .into_iter()
            .chain(optional.into_iter().filter(|(_, value, _)| value.is_some()));
        fields
            .filter_map(|(field, value, max)| Some((field, fault(value?, max)?)))
            .collect()
    }
}

fn fault(value: &str, max: usize) -> Option<&'static str> {
    if value.trim().is_empty() {
        return Some("must not be blank");
    }
    if value.chars().count() > max {
        return Some("is too long");
    }
    value
        .chars()
        .any(char::is_control)
        .then_some("must not hold control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> ShippingAddress {
        ShippingAddress {
            name: "Ada".into(),
            line1: "Street 1".into(),
            line2: None,
            city: "Berlin".into(),
            postal_code: "10115".into(),
            region: None,
            country: Country::try_from("DE").unwrap(),
        }
    }

    #[test]
    fn complete_address_has_no_fault() {
        assert_eq!(address().faults(), []);
    }

    #[test]
    fn every_fault_is_named() {
        let faulty = ShippingAddress {
            name: " ".into(),
            region: Some("\n".into()),
            ..address()
        };
        assert_eq!(
            faulty.faults(),
            [
                ("name", "must not be blank"),
                ("region", "must not be blank")
            ]
        );
    }

    #[test]
    fn country_is_two_upper_case_letters() {
        for bad in ["", "de", "DEU", "D1", "**"] {
            assert!(Country::try_from(bad).is_err(), "{bad}");
        }
    }
}
