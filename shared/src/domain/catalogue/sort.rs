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
