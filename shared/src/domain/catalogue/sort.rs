//! In which order a list comes, and where a page of it ends.

use serde::{Deserialize, Serialize};

/// The orders of the product list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Best match first; only with `q`.
    Relevance,
    /// Newest first.
    Newest,
    /// Cheapest first.
    PriceAsc,
    /// Dearest first.
    PriceDesc,
    /// By title.
    Name,
}

impl Sort {
    /// The orders that do not depend on what was searched for.
    pub const OF_LISTS: [Self; 4] = [Self::Newest, Self::PriceAsc, Self::PriceDesc, Self::Name];

    /// Its name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Newest => "newest",
            Self::PriceAsc => "price_asc",
            Self::PriceDesc => "price_desc",
            Self::Name => "name",
        }
    }
}

/// The value of a product that its list is ordered by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// How well it matches.
    Rank(f32),
    /// When it was made, in microseconds since 1970.
    Created(i64),
    /// Its lowest price in minor units.
    Price(i64),
    /// Its title as it is compared.
    Name(String),
}

impl SortKey {
    /// Whether a page of a list in this order can have ended here. It comes back in a
    /// cursor, in which its holder may have written anything: an instant or a text that
    /// the database cannot hold.
    pub fn fits(&self, sort: Sort) -> bool {
        match (self, sort) {
            (Self::Rank(rank), Sort::Relevance) => rank.is_finite(),
            (Self::Created(micros), Sort::Newest) => (0..CREATED_END).contains(micros),
            (Self::Price(_), Sort::PriceAsc | Sort::PriceDesc) => true,
            (Self::Name(name), Sort::Name) => !name.contains('\0'),
            _ => false,
        }
    }
}

/// The end of the year 9999, in microseconds since 1970.
const CREATED_END: i64 = 253_402_300_800_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_that_a_list_cannot_have_does_not_fit() {
        let name = |name: &str| SortKey::Name(name.to_owned());
        for (key, sort, fits) in [
            (SortKey::Rank(0.5), Sort::Relevance, true),
            (SortKey::Rank(f32::INFINITY), Sort::Relevance, false),
            (SortKey::Created(1), Sort::Newest, true),
            (SortKey::Created(-1), Sort::Newest, false),
            (SortKey::Created(i64::MAX), Sort::Newest, false),
            (SortKey::Price(i64::MAX), Sort::PriceAsc, true),
            (SortKey::Price(0), Sort::Newest, false),
            (name("mug"), Sort::Name, true),
            (name("m\0g"), Sort::Name, false),
            (name("mug"), Sort::PriceDesc, false),
        ] {
            assert_eq!(key.fits(sort), fits, "{key:?}, {sort:?}");
        }
    }
}
