//! Money is a whole number of minor units and a currency. Floats never touch it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ISO 4217 code: three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, utoipa::ToSchema)]
#[schema(value_type = String, example = "EUR", pattern = "^[A-Z]{3}$")]
pub struct Currency([u8; 3]);

/// The text is not a currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 code of three upper-case letters")]
pub struct InvalidCurrency;

impl Currency {
    /// The euro, which the shop takes unless it is told otherwise.
    pub const EUR: Self = Self(*b"EUR");

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<&str> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: &str) -> Result<Self, InvalidCurrency> {
        match code.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(InvalidCurrency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        Self::try_from(code.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::try_from(code.as_str()).map_err(serde::de::Error::custom)
    }
}

/// An amount in minor units (cents) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 1999 is 19.99 EUR.
    #[serde(rename = "amount")]
    #[schema(example = 1999)]
    amount_minor: i64,
    currency: Currency,
}

/// A sum that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The operands are of different currencies.
    #[error("{0} and {1} cannot be added")]
    MixedCurrencies(Currency, Currency),
    /// The result does not fit.
    #[error("the amount is too large")]
    Overflow,
}

impl Money {
    /// `amount_minor` minor units.
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self {
            amount_minor,
            currency,
        }
    }

    /// Nothing.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The number of minor units.
    pub const fn minor(self) -> i64 {
        self.amount_minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum.
    ///
    /// # Errors
    /// Different currencies, or a sum that does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(self.currency, other.currency));
        }
        let amount = self
            .amount_minor
            .checked_add(other.amount_minor)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(amount, self.currency))
    }

    /// `quantity` times the amount.
    ///
    /// # Errors
    /// A product that does not fit.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        let amount = self
            .amount_minor
            .checked_mul(i64::from(quantity))
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(amount, self.currency))
    }
}

impl fmt::Display for Money {
    /// For people: `19.99 EUR`. Every currency that shops here trade in has two decimals or none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(
            self.currency.as_str(),
            "JPY" | "KRW" | "CLP" | "VND" | "ISK"
        ) {
            return write!(f, "{} {}", self.amount_minor, self.currency);
        }
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let minor = self.amount_minor.unsigned_abs();
        write!(
            f,
            "{sign}{}.{:02} {}",
            minor / 100,
            minor % 100,
            self.currency
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, Currency::try_from("EUR").unwrap())
    }

    #[test]
    fn display_shows_minor_units() {
        assert_eq!(eur(1999).to_string(), "19.99 EUR");
        assert_eq!(eur(-5).to_string(), "-0.05 EUR");
    }

    #[test]
    fn currency_is_three_upper_case_letters() {
        for bad in ["", "eur", "EURO", "EU1", "€€€"] {
            assert!(Currency::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn float_amount_is_refused() {
        assert!(serde_json::from_str::<Money>(r#"{"amount": 19.99, "currency": "EUR"}"#).is_err());
    }

    proptest! {
        #[test]
        fn addition_commutes(a: i64, b: i64) {
            prop_assert_eq!(eur(a).plus(eur(b)), eur(b).plus(eur(a)));
        }

        #[test]
        fn times_is_repeated_addition(a in -1_000_000i64..1_000_000, n in 0u32..50) {
            let mut sum = eur(0);
            for _ in 0..n {
                sum = sum.plus(eur(a)).unwrap();
            }
            prop_assert_eq!(eur(a).times(n), Ok(sum));
        }

        #[test]
        fn json_is_read_back(a: i64) {
            let json = serde_json::to_string(&eur(a)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), eur(a));
        }
    }
}
