//! The last-good catalogue: what the database said, kept in S3 for when no node
//! answers. The projector writes it, the sweeper compares it with the database.

mod digest;
pub mod keys;
mod listing;

pub use digest::digest;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::categories::CategoryRow;
use super::listing::{Place, Wanted};
use super::products::{Card, PageRow, ProductKey};
use super::rates::{ShippingRow, TaxRow};
use super::reservations::Offer;
use crate::domain::pricing::{Rates, ShippingRate, TaxRate};
use crate::providers::objects::{KeptObjects, ObjectError};

/// So often somebody else may be faster.
const TURNS_MAX: usize = 8;

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
    /// It was never compared with the whole database, so what is not in it may exist all the same.
    #[error("the last-good catalogue is not complete yet")]
    Incomplete,
    /// Each time that it was to be written somebody else was faster.
    #[error("{0} in the last-good catalogue is written by others all the time")]
    Contended(String),
}

/// Something that was kept.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// What it is.
    pub value: T,
    /// When it was written.
    pub written_at: OffsetDateTime,
}

/// How far the database was compared with what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The last product that was compared; the next one is the first when there is none.
    pub after: Option<Uuid>,
    /// How many lists were compared.
    pub lists: usize,
    /// When the last product was compared most recently. Absent until then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
}

/// What a part of the last-good catalogue shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    key: String,
    content: Option<Bytes>,
}

impl Part {
    /// This, as JSON.
    ///
    /// # Errors
    /// Never in practice: a value that cannot be written as JSON.
    pub fn of<T: Serialize>(key: String, value: &T) -> Result<Self, LastGoodError> {
        match serde_json::to_vec(value) {
            Ok(content) => Ok(Self {
                key,
                content: Some(content.into()),
            }),
            Err(source) => Err(LastGoodError::Unreadable { key, source }),
        }
    }

    /// Nothing.
    pub const fn absent(key: String) -> Self {
        Self { key, content: None }
    }
}

/// Every shipping and tax rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllRates {
    /// Shipping rates.
    pub shipping: Vec<ShippingRow>,
    /// Tax rates.
    pub tax: Vec<TaxRow>,
}

/// Reads the last-good catalogue, and keeps it.
#[derive(Clone)]
pub struct LastGood {
    objects: KeptObjects,
}

impl LastGood {
    /// The one in the bucket that `objects` knows.
    pub fn new(objects: KeptObjects) -> Self {
        Self { objects }
    }

    /// The bucket.
    pub fn objects(&self) -> &KeptObjects {
        &self.objects
    }

    /// Those of `skus` that were for sale, sorted by SKU.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn offers(&self, skus: &[String]) -> Result<Vec<Offer>, LastGoodError> {
        use futures::{StreamExt, TryStreamExt};
        let keys: Vec<String> = skus.iter().map(|sku| keys::sku(sku)).collect();
        let fetches = keys.into_iter().map(|key| self.read::<Offer>(key));
        let found: Vec<Option<Found<Offer>>> = futures::stream::iter(fetches)
            .buffer_unordered(FETCHES_MAX)
            .try_collect()
            .await?;
        let offers = found.into_iter().flatten().map(|offer| offer.value);
        let mut offers: Vec<_> = offers.collect();
        offers.sort_by(|a, b| a.sku.cmp(&b.sku));
        Ok(offers)
    }

    /// The rates of one country; `None` when none were ever kept.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn rates(&self, country: &str) -> Result<Option<Rates>, LastGoodError> {
        let all: Option<Found<AllRates>> = self.read(keys::RATES.to_owned()).await?;
        Ok(all.and_then(|all| all.value.of_country(country)))
    }

    /// A product that was on sale; `None` when it was not.
    ///
    /// # Errors
    /// The store is away or holds something else, or it is not known whether there is one.
    pub async fn page(&self, key: &ProductKey) -> Result<Option<Found<PageRow>>, LastGoodError> {
        let key = match key {
            ProductKey::Id(id) => keys::product(*id),
            ProductKey::Slug(slug) => keys::slug(slug.as_str()),
        };
        let page = self.read(key).await?;
        if page.is_none() {
            self.completed_at().await?;
        }
        Ok(page)
    }

    /// A page of a list, cut out of its first products. Empty for a category that there is not.
    ///
    /// # Errors
    /// The store is away or holds something else, or it is not known whether there is one.
    pub async fn list(&self, wanted: &Wanted) -> Result<Found<Vec<(Place, Card)>>, LastGoodError> {
        let key = keys::list(wanted.category.as_ref(), listing::kept_order(wanted));
        match self.read::<Vec<(Place, Card)>>(key).await? {
            Some(list) => Ok(Found {
                value: listing::cut(list.value, wanted),
                written_at: list.written_at,
            }),
            None => Ok(Found {
                value: Vec::new(),
                written_at: self.completed_at().await?,
            }),
        }
    }

    /// Every category; `None` when none were ever kept.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn categories(&self) -> Result<Option<Found<Vec<CategoryRow>>>, LastGoodError> {
        self.read(keys::CATEGORIES.to_owned()).await
    }

    /// What was trending; `None` when it was never kept.
    ///
    /// # Errors
    /// The store is away, or holds something else.
    pub async fn trending(&self) -> Result<Option<Found<Vec<Card>>>, LastGoodError> {
        self.read(keys::TRENDING.to_owned()).await
    }

    /// How far it was compared with the database. What cannot be understood was
    /// not compared.
    ///
    /// # Errors
    /// The store is away.
    pub async fn walk(&self) -> Result<Walk, LastGoodError> {
        match self.read(keys::WALK.to_owned()).await {
            Ok(walk) => Ok(walk.map(|walk| walk.value).unwrap_or_default()),
            Err(LastGoodError::Unreadable { .. }) => Ok(Walk::default()),
            Err(error) => Err(error),
        }
    }

    async fn completed_at(&self) -> Result<OffsetDateTime, LastGoodError> {
        let walk = self.walk().await?;
        walk.completed_at.ok_or(LastGoodError::Incomplete)
    }

    /// Makes a part what it shall be. True when it was something else: another
    /// count of units is too little to count, as long as there are any.
    ///
    /// # Errors
    /// The store is away.
    pub async fn bring(&self, part: &Part) -> Result<bool, LastGoodError> {
        let kept = self.objects.kept(&part.key).await?.map(|kept| kept.bytes);
        match &part.content {
            content if *content == kept => Ok(false),
            None => {
                self.objects.drop_kept(&part.key).await?;
                Ok(true)
            }
            Some(content) => {
                self.objects.keep(&part.key, content.clone()).await?;
                Ok(!kept.is_some_and(|kept| is_same_but_for_counts(&kept, content)))
            }
        }
    }

    /// As [`LastGood::bring`], for the parts of one thing; how many were something else.
    ///
    /// # Errors
    /// The store is away.
    pub async fn bring_all(&self, parts: &[Part]) -> Result<usize, LastGoodError> {
        use futures::{StreamExt, TryStreamExt};
        let brought = futures::stream::iter(parts.iter().map(|part| self.bring(part)));
        let changed: Vec<bool> = brought.buffered(FETCHES_MAX).try_collect().await?;
        Ok(changed.into_iter().filter(|changed| *changed).count())
    }

    /// Makes a part what `read` says of it; true as with [`LastGood::bring`]. It is
    /// asked after what is kept was fetched, and only that is replaced: so what
    /// somebody else wrote meanwhile is never replaced by something older.
    ///
    /// # Errors
    /// Those of `read`; the store is away, or others write all the time.
    pub async fn follow<E: From<LastGoodError>>(
        &self,
        key: String,
        read: impl AsyncFn() -> Result<Bytes, E>,
    ) -> Result<bool, E> {
        for _ in 0..TURNS_MAX {
            let kept = self.objects.kept(&key).await.map_err(LastGoodError::from)?;
            let content = read().await?;
            if kept.as_ref().is_some_and(|kept| kept.bytes == content) {
                return Ok(false);
            }
            let put = self.objects.replace(&key, kept.as_ref(), content.clone());
            if put.await.map_err(LastGoodError::from)? {
                let is_same =
                    kept.is_some_and(|kept| is_same_but_for_counts(&kept.bytes, &content));
                return Ok(!is_same);
            }
        }
        Err(LastGoodError::Contended(key).into())
    }

    async fn read<T: DeserializeOwned>(
        &self,
        key: String,
    ) -> Result<Option<Found<T>>, LastGoodError> {
        let Some(kept) = self.objects.kept(&key).await? else {
            return Ok(None);
        };
        match serde_json::from_slice(&kept.bytes) {
            Ok(value) => Ok(Some(Found {
                value,
                written_at: kept.written_at,
            })),
            Err(source) => Err(LastGoodError::Unreadable { key, source }),
        }
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

/// Orders change the counts all the time, and nobody is told of each.
fn is_same_but_for_counts(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice(bytes).map(without_counts).ok();
    let (one, other): (Option<Value>, _) = (read(one), read(other));
    one.is_some() && one == other
}

/// With "some" in place of how many are available.
fn without_counts(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_counts).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| match value.as_i64() {
                Some(count) if name == "available" => (name, count.signum().into()),
                _ => (name, without_counts(value)),
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
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

    #[test]
    fn another_count_is_the_same_and_none_left_is_not() {
        let part = |available: i32, price: i64| {
            format!(r#"{{"card": [{{"available": {available}, "price_minor": {price}}}]}}"#)
                .into_bytes()
        };
        assert!(is_same_but_for_counts(&part(1, 5), &part(7, 5)));
        assert!(!is_same_but_for_counts(&part(1, 5), &part(0, 5)));
        assert!(!is_same_but_for_counts(&part(1, 5), &part(1, 6)));
        assert!(!is_same_but_for_counts(b"{", b"{"));
    }
}
