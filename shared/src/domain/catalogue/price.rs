//! What a variant costs.

use super::OutOfLimits;
use crate::domain::money::{Currency, Money};

/// From nothing to 999,999,999 minor units of the shop's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(i64);

impl Price {
    /// The price that `money` is in a shop that trades in `currency`.
    ///
    /// # Errors
    /// Another currency, less than nothing, or too much.
    pub fn of(money: Money, currency: Currency) -> Result<Self, OutOfLimits> {
        if money.currency() != currency {
            return Err(OutOfLimits("must be in the shop's currency"));
        }
        match money.minor() {
            minor @ 0..=999_999_999 => Ok(Self(minor)),
            _ => Err(OutOfLimits("must be from 0 to 999999999 minor units")),
        }
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::try_from(code).unwrap()
    }

    #[test]
    fn other_currency_is_refused() {
        assert!(Price::of(Money::new(1, currency("USD")), currency("EUR")).is_err());
    }

    proptest! {
        #[test]
        fn price_is_kept_or_refused(minor: i64) {
            let price = Price::of(Money::new(minor, currency("EUR")), currency("EUR"));
            let inside = (0..=999_999_999).contains(&minor);
            prop_assert_eq!(price.map(Price::minor).ok(), inside.then_some(minor));
        }
    }
}
