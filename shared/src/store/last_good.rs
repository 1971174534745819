//! The last-good catalogue: what the database said, kept in S3 for when no node
//! answers. The projector writes it, the sweeper compares it with the database.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::rates::{ShippingRow, TaxRow};
use super::reservations::Offer;
use crate::domain::pricing::{Rates, ShippingRate, TaxRate};
use crate::providers::objects::{ObjectError, Objects};

/// Where every rate is kept.
const RATES_KEY: &str = "rates.json";

/// Fetches of one request at once.
const FETCHES_MAX: usize = 8;

/// Why something could not be had from the last-good catalogue.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    /// The store is away.
    #[error("the last-good catalogue cannot be read")]
    Away(#[from] ObjectError),
    /// What is kept there is not what is expected.
    #[error("{key} in the last-good catalogue cannot be understood")]
    Unreadable {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Every shipping and tax rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllRates {
    /// Shipping rates.
    pub shipping: Vec<ShippingRow>,
    /// Tax rates.
    pub tax: Vec<TaxRow>,
}

/// Reads the last-good catalogue.
#[derive(Clone)]
pub struct LastGood {
    objects: Objects,
}

impl LastGood {
    /// The one in the bucket that `objects` knows.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Those of `skus` that were for sale, sorted by SKU.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn offers(&self, skus: &[String]) -> Result<Vec<Offer>, LastGoodError> {
        use futures::{StreamExt, TryStreamExt};
        let keys: Vec<String> = skus.iter().map(|sku| sku_key(sku)).collect();
        let fetches = keys.into_iter().map(|key| self.read::<Offer>(key));
        let found: Vec<Option<Offer>> = futures::stream::iter(fetches)
            .buffer_unordered(FETCHES_MAX)
            .try_collect()
            .await?;
        let mut offers: Vec<_> = found.into_iter().flatten().collect();
        offers.sort_by(|a, b| a.sku.cmp(&b.sku));
        Ok(offers)
    }

    /// The rates of one country; `None` when none were ever kept.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn rates(&self, country: &str) -> Result<Option<Rates>, LastGoodError> {
        let all: Option<AllRates> = self.read(RATES_KEY.to_owned()).await?;
        Ok(all.and_then(|all| all.of_country(country)))
    }

    async fn read<T: DeserializeOwned>(&self, key: String) -> Result<Option<T>, LastGoodError> {
        let Some(bytes) = self.objects.kept(&key).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| LastGoodError::Unreadable { key, source })
    }
}

impl AllRates {
    fn of_country(&self, country: &str) -> Option<Rates> {
        let shipping = self.shipping.iter();
        let shipping = pick(shipping.map(|row| (row.country.as_str(), row)), country)?;
        let tax = pick(
            self.tax.iter().map(|row| (row.country.as_str(), row)),
            country,
        )?;
        Some(Rates {
            shipping: ShippingRate {
                amount_minor: shipping.amount_minor,
                free_from_minor: shipping.free_from_minor,
            },
            tax: TaxRate {
                rate_ppm: tax.rate_ppm,
                included: tax.included,
            },
        })
    }
}

/// The country's own row, else that of `**`.
fn pick<'a, T>(rows: impl Iterator<Item = (&'a str, T)>, country: &str) -> Option<T> {
    let mut fallback = None;
    for (of, row) in rows {
        if of == country {
            return Some(row);
        }
        if of == "**" {
            fallback = Some(row);
        }
    }
    fallback
}

/// Where an offer is kept. SKUs hold no slash.
fn sku_key(sku: &str) -> String {
    format!("skus/{sku}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipping(country: &str, amount_minor: i64) -> ShippingRow {
        ShippingRow {
            country: country.to_owned(),
            amount_minor,
            free_from_minor: None,
        }
    }

    #[test]
    fn a_country_has_its_own_rate_or_that_of_all_others() {
        let tax = TaxRow {
            country: "**".to_owned(),
            rate_ppm: 190_000,
            included: true,
        };
        let all = AllRates {
            shipping: vec![shipping("**", 990), shipping("DE", 490)],
            tax: vec![tax],
        };
        assert_eq!(all.of_country("DE").unwrap().shipping.amount_minor, 490);
        assert_eq!(all.of_country("JP").unwrap().shipping.amount_minor, 990);
    }
}
