//! Variants: what of a product can be bought, and at which price.

use std::collections::HashSet;

use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::ChangeError;
use crate::domain::catalogue::{CatalogueError, Options, Price, Sku, VariantTitle};

/// A variant as it shall be.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its SKU.
    pub sku: Sku,
    /// What sets it apart.
    pub title: VariantTitle,
    /// Its options.
    pub options: Options,
    /// Its price.
    pub price: Price,
}

/// Makes `variants`, in this order, the ones of a product: adds, changes, and
/// takes off what is not among them. Rows are kept, because orders name them.
///
/// # Errors
/// A SKU is another product's, or the database's.
pub async fn replace(
    tx: &mut PgConnection,
    product: Uuid,
    variants: &[Variant],
) -> Result<(), ChangeError<CatalogueError>> {
    let skus: Vec<&str> = variants
        .iter()
        .map(|variant| variant.sku.as_str())
        .collect();
    take_off_others(tx, product, &skus).await?;
    let put: HashSet<String> = put(tx, product, variants).await?.into_iter().collect();
    if let Some(taken) = variants
        .iter()
        .find(|variant| !put.contains(variant.sku.as_str()))
    {
        return Err(ChangeError::Refused(CatalogueError::SkuTaken(
            taken.sku.clone(),
        )));
    }
    super::stock::open(tx, &skus).await?;
    Ok(())
}

/// Every SKU that a product ever had, in their order. A SKU never goes to another product.
///
/// # Errors
/// The database's.
pub async fn skus(
    database: impl PgExecutor<'_>,
    product: Uuid,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select sku from variants where product_id = $1 order by sku")
        .bind(product)
        .fetch_all(database)
        .await
}

async fn take_off_others(
    tx: &mut PgConnection,
    product: Uuid,
    kept: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update variants set removed_at = now()
         where product_id = $1 and removed_at is null and sku <> all ($2)",
    )
    .bind(product)
    .bind(kept)
    .execute(tx)
    .await?;
    Ok(())
}

/// The SKUs that were put: those of other products are not. In the order of the
/// SKUs, so that two products with the same new ones do not deadlock.
async fn put(
    tx: &mut PgConnection,
    product: Uuid,
    variants: &[Variant],
) -> Result<Vec<String>, sqlx::Error> {
    let column = |text: fn(&Variant) -> &str| variants.iter().map(text).collect::<Vec<_>>();
    let options: Vec<_> = variants
        .iter()
        .map(|variant| Json(&variant.options))
        .collect();
    let prices: Vec<_> = variants
        .iter()
        .map(|variant| variant.price.minor())
        .collect();
    sqlx::query_scalar(
        "insert into variants (sku, product_id, title, options, price_minor, position)
         select sku, $1, title, options, price, place
         from unnest($2::text[], $3::text[], $4::jsonb[], $5::bigint[])
             with ordinality as wanted (sku, title, options, price, place)
         order by sku
         on conflict (sku) do update set title = excluded.title, options = excluded.options,
             price_minor = excluded.price_minor, position = excluded.position, removed_at = null
         where variants.product_id = excluded.product_id
         returning sku",
    )
    .bind(product)
    .bind(column(|variant| variant.sku.as_str()))
    .bind(column(|variant| variant.title.as_str()))
    .bind(options)
    .bind(prices)
    .fetch_all(tx)
    .await
}
