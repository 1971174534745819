//! What somebody wants to buy: quantities of SKUs, summed and sorted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::Sku;

/// How many of one SKU: 1 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[schema(value_type = u32, minimum = 1, maximum = 999, example = 2)]
pub struct Quantity(u32);

/// The number is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 999")]
pub struct InvalidQuantity;

impl Quantity {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, if it is a quantity still.
    pub fn plus(self, other: Self) -> Result<Self, InvalidQuantity> {
        Self::try_from(i64::from(self.0 + other.0))
    }

    /// The sum, or the most there can be.
    #[must_use]
    pub fn saturating_plus(self, other: Self) -> Self {
        self.plus(other).unwrap_or(Self(999))
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(number: i64) -> Result<Self, InvalidQuantity> {
        match u32::try_from(number) {
            Ok(number @ 1..=999) => Ok(Self(number)),
            _ => Err(InvalidQuantity),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer)
            .and_then(|number| Self::try_from(number).map_err(serde::de::Error::custom))
    }
}

/// Lines as they were asked for, with one per SKU, in the order of the SKUs:
/// stock is always locked in that order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<Sku, Quantity>);

/// The most lines an order may have.
pub const LINES_MAX: usize = 100;

/// Why lines cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// There are none.
    #[error("must not be empty")]
    Empty,
    /// There are too many.
    #[error("must not be more than 100")]
    TooMany,
    /// The lines of one SKU come to too much.
    #[error("the lines of {0} together must not be more than 999")]
    TooManyOf(Sku),
}

impl Lines {
    /// Sums the lines of each SKU.
    ///
    /// # Errors
    /// None, too many, or too many of one SKU.
    pub fn summed(lines: impl IntoIterator<Item = (Sku, Quantity)>) -> Result<Self, InvalidLines> {
        let mut summed = BTreeMap::<Sku, Quantity>::new();
        for (sku, quantity) in lines {
            let sum = match summed.get(&sku) {
                Some(before) => before
                    .plus(quantity)
                    .map_err(|_| InvalidLines::TooManyOf(sku.clone()))?,
                None => quantity,
            };
            summed.insert(sku, sum);
        }
        match summed.len() {
            0 => Err(InvalidLines::Empty),
            1..=LINES_MAX => Ok(Self(summed)),
            _ => Err(InvalidLines::TooMany),
        }
    }

    /// SKUs and quantities, sorted by SKU.
    pub fn iter(&self) -> impl Iterator<Item = (&Sku, Quantity)> {
        self.0.iter().map(|(sku, quantity)| (sku, *quantity))
    }

    /// The SKUs, sorted.
    pub fn skus(&self) -> Vec<String> {
        self.0.keys().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(text: &str) -> Sku {
        Sku::try_from(text.to_owned()).unwrap()
    }

    fn quantity(number: i64) -> Quantity {
        Quantity::try_from(number).unwrap()
    }

    #[test]
    fn lines_of_one_sku_are_summed_and_sorted() {
        let lines = [
            (sku("b"), quantity(1)),
            (sku("a"), quantity(2)),
            (sku("b"), quantity(3)),
        ];
        let summed = Lines::summed(lines).unwrap();
        assert_eq!(
            summed.iter().collect::<Vec<_>>(),
            [(&sku("a"), quantity(2)), (&sku("b"), quantity(4))]
        );
    }

    #[test]
    fn bounds_hold_after_summing() {
        assert_eq!(Lines::summed([]), Err(InvalidLines::Empty));
        let twice = [(sku("a"), quantity(999)), (sku("a"), quantity(1))];
        assert_eq!(Lines::summed(twice), Err(InvalidLines::TooManyOf(sku("a"))));
    }

    #[test]
    fn quantity_is_positive_and_bounded() {
        for bad in [0, -1, 1000, i64::MAX, i64::MIN] {
            assert!(Quantity::try_from(bad).is_err(), "{bad}");
        }
    }
}
