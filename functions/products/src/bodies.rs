//! What callers send.

use serde::{Deserialize, Serialize};
use shared::domain::catalogue::{
    Description, Options, OutOfLimits, Price, Sku, Slug, Status, Title, VARIANTS_MAX, VariantTitle,
};
use shared::domain::money::{Currency, Money};
use shared::http::ApiError;
use shared::store::variants::Variant;
use utoipa::ToSchema;

/// A product to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// What it is called. Its slug is made from this and never changes.
    pub title: Title,
    /// What is said about it.
    pub description: Description,
    /// The category's slug; any node may hold products.
    pub category: Slug,
    /// `draft` (the default) or `active`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "active")]
    pub status: Option<Status>,
    /// From 1 to 100, each with a SKU of its own.
    #[schema(min_items = 1, max_items = 100)]
    pub variants: Vec<VariantBody>,
}

/// What is to be changed of a product. What is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductChange {
    /// What it is called. The slug stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// What is said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The category's slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Slug>,
    /// An archived product must become a draft before it is active again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// All variants that it shall have: what is not named here is taken off sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    pub variants: Option<Vec<VariantBody>>,
}

/// A variant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantBody {
    /// Unique in the shop.
    pub sku: Sku,
    /// What sets it apart.
    pub title: VariantTitle,
    /// What distinguishes it, by name.
    #[serde(default)]
    pub options: Options,
    /// In the shop's currency, from 0 to 999,999,999 minor units.
    pub price: Money,
}

/// The variants of a body, each checked against the others and the shop's currency.
///
/// # Errors
/// 422 naming the first field at fault.
pub fn variants(bodies: Vec<VariantBody>, currency: Currency) -> Result<Vec<Variant>, ApiError> {
    if !(1..=VARIANTS_MAX).contains(&bodies.len()) {
        return Err(ApiError::invalid(
            "/variants",
            "must be from 1 to 100 variants",
        ));
    }
    for (index, body) in bodies.iter().enumerate() {
        if bodies[..index]
            .iter()
            .any(|earlier| earlier.sku == body.sku)
        {
            let pointer = format!("/variants/{index}/sku");
            return Err(ApiError::invalid(pointer, "is given twice"));
        }
    }
    let variant = |(index, body): (usize, VariantBody)| {
        let invalid =
            |OutOfLimits(reason)| ApiError::invalid(format!("/variants/{index}/price"), reason);
        Ok(Variant {
            sku: body.sku,
            title: body.title,
            options: body.options,
            price: Price::of(body.price, currency).map_err(invalid)?,
        })
    };
    bodies.into_iter().enumerate().map(variant).collect()
}

/// The lowest price of some variants; nothing for none.
pub fn price_from(variants: &[Variant]) -> Option<Price> {
    variants.iter().map(|variant| variant.price).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        Currency::try_from("EUR").unwrap()
    }

    fn body(sku: &str, amount: i64, currency: &str) -> VariantBody {
        VariantBody {
            sku: Sku::try_from(sku.to_owned()).unwrap(),
            title: VariantTitle::try_from("Blue".to_owned()).unwrap(),
            options: Options::default(),
            price: Money::new(amount, Currency::try_from(currency).unwrap()),
        }
    }

    fn fault(bodies: Vec<VariantBody>) -> String {
        let (_, problem) = variants(bodies, eur()).unwrap_err().to_body();
        let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    }

    #[test]
    fn first_fault_is_named() {
        assert_eq!(fault(Vec::new()), "/variants");
        assert_eq!(
            fault(vec![body("A", 1, "EUR"), body("A", 1, "EUR")]),
            "/variants/1/sku"
        );
        assert_eq!(fault(vec![body("A", 1, "USD")]), "/variants/0/price");
        assert_eq!(fault(vec![body("A", 1 << 53, "EUR")]), "/variants/0/price");
        assert_eq!(fault(vec![body("A", -1, "EUR")]), "/variants/0/price");
    }

    #[test]
    fn lowest_price_is_the_one_to_show() {
        let variants = variants(vec![body("A", 5, "EUR"), body("B", 3, "EUR")], eur()).unwrap();
        assert_eq!(price_from(&variants).map(Price::minor), Some(3));
    }
}
