//! Where the parts of the last-good catalogue are. Ids, slugs and SKUs hold no slash.

use uuid::Uuid;

use crate::domain::catalogue::{Slug, Sort};

/// Every category.
pub const CATEGORIES: &str = "categories.json";

/// Every shipping and tax rate.
pub const RATES: &str = "rates.json";

/// What is trending; made of what people do now, so in no journal.
pub const TRENDING: &str = "trending.json";

/// How far the sweeper has compared.
pub const WALK: &str = "walk.json";

/// A product's page, by its id.
pub fn product(id: Uuid) -> String {
    format!("products/{id}.json")
}

/// The same page, by its slug: a read is one fetch.
pub fn slug(slug: &str) -> String {
    format!("slugs/{slug}.json")
}

/// What checkout must know of a variant.
pub fn sku(sku: &str) -> String {
    format!("skus/{sku}.json")
}

/// The first products of a category and those below it, or of all. No slug begins with `_`.
pub fn list(category: Option<&Slug>, sort: Sort) -> String {
    let category = category.map_or("_all", Slug::as_str);
    format!("lists/{category}/{}.json", sort.name())
}
