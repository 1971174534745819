//! Products: their pages, and how they come and go.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{ChangeError, StoreError};
use crate::domain::catalogue::{CatalogueError, Description, Price, Slug, Status, Title};

/// How a product is named in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductKey {
    /// By its id.
    Id(Uuid),
    /// By its slug.
    Slug(Slug),
}

/// A product as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct Card {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// The slug of its category.
    pub category: String,
    /// Where it stands.
    pub status: Status,
    /// Goes up with every change.
    pub version: i64,
    /// The lowest price of its variants.
    pub price_from_minor: i64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// What can be bought.
    pub variants: Json<Vec<VariantRow>>,
    /// Its pictures.
    pub images: Json<Vec<ImageRow>>,
}

/// A product whole.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct PageRow {
    /// What lists show of it. Not flattened in JSON, which would lose the options' raw text.
    #[sqlx(flatten)]
    pub card: Card,
    /// Who sells it.
    pub seller_id: Uuid,
    /// What is said about it.
    pub description: String,
}

/// A variant as pages and lists show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VariantRow {
    /// Its SKU.
    pub sku: String,
    /// What sets it apart.
    pub title: String,
    /// Its options, as they are stored.
    pub options: Box<RawValue>,
    /// Its price.
    pub price_minor: i64,
    /// How many can be bought.
    pub available: i32,
}

/// A picture as pages and lists show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageRow {
    /// Its id.
    pub id: Uuid,
    /// Where it is in the bucket.
    pub object_key: String,
    /// What it shows.
    pub alt: String,
}

/// What a change must know of a product.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    /// Its id.
    pub id: Uuid,
    /// Who sells it.
    pub seller_id: Uuid,
    /// Where it stands.
    pub status: Status,
    /// Its version.
    pub version: i64,
}

/// A product to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewProduct<'a> {
    /// Its id.
    pub id: Uuid,
    /// Who sells it.
    pub seller_id: Uuid,
    /// Its title.
    pub title: &'a Title,
    /// What is said about it.
    pub description: &'a Description,
    /// The category that it goes into.
    pub category: &'a Slug,
    /// Where it starts.
    pub status: Status,
    /// The lowest price of its variants.
    pub price_from: Price,
}

/// What is to be changed of a product; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Its title.
    pub title: Option<&'a Title>,
    /// What is said about it.
    pub description: Option<&'a Description>,
    /// The category that it goes into.
    pub category: Option<&'a Slug>,
    /// Where it stands.
    pub status: Option<Status>,
    /// The lowest price of its variants.
    pub price_from: Option<Price>,
}

/// A product's page, whatever its status. One statement.
///
/// # Errors
/// The database's.
pub async fn page(
    database: impl PgExecutor<'_>,
    key: &ProductKey,
) -> Result<Option<PageRow>, sqlx::Error> {
    let (id, slug) = match key {
        ProductKey::Id(id) => (Some(id), None),
        ProductKey::Slug(slug) => (None, Some(slug.as_str())),
    };
    sqlx::query_as(
        "select p.id, p.seller_id, p.slug, p.title, p.description, c.slug as category, p.status, p.version,
             p.price_from_minor, p.created_at, p.updated_at,
             (select coalesce(json_agg(json_build_object('sku', v.sku, 'title', v.title, 'options', v.options,
                     'price_minor', v.price_minor, 'available', s.on_hand - s.reserved)
                     order by v.position, v.sku), '[]')
                 from variants v join stock s on s.sku = v.sku
                 where v.product_id = p.id and v.removed_at is null) as variants,
             (select coalesce(json_agg(json_build_object('id', i.id, 'object_key', i.object_key, 'alt', i.alt)
                     order by i.position, i.id), '[]')
                 from images i where i.product_id = p.id and i.completed_at is not null) as images
         from products p join categories c on c.id = p.category_id
         where p.id = coalesce($1, (select id from products where slug = $2))",
    )
    .bind(id)
    .bind(slug)
    .fetch_optional(database)
    .await
}

/// The products of these ids, in this order, as lists show them. One statement.
///
/// # Errors
/// The database's.
pub async fn cards(database: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<Card>, sqlx::Error> {
    sqlx::query_as(
        "select p.id, p.slug, p.title, c.slug as category, p.status, p.version,
             p.price_from_minor, p.created_at, p.updated_at,
             (select coalesce(json_agg(json_build_object('sku', v.sku, 'title', v.title, 'options', v.options,
                     'price_minor', v.price_minor, 'available', s.on_hand - s.reserved)
                     order by v.position, v.sku), '[]')
                 from variants v join stock s on s.sku = v.sku
                 where v.product_id = p.id and v.removed_at is null) as variants,
             (select coalesce(json_agg(json_build_object('id', i.id, 'object_key', i.object_key, 'alt', i.alt)
                     order by i.position, i.id), '[]')
                 from images i where i.product_id = p.id and i.completed_at is not null) as images
         from unnest($1::uuid[]) with ordinality as asked (id, place)
         join products p on p.id = asked.id join categories c on c.id = p.category_id
         order by asked.place",
    )
    .bind(ids)
    .fetch_all(database)
    .await
}

/// The slugs of the categories of those of these products that are on sale.
///
/// # Errors
/// The database's.
pub async fn categories_on_sale(
    database: impl PgExecutor<'_>,
    ids: &[Uuid],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select distinct c.slug from products p join categories c on c.id = p.category_id
         where p.id = any ($1) and p.status = 'active'",
    )
    .bind(ids)
    .fetch_all(database)
    .await
}

/// The next ids after one, in their order, whatever the status; from the first when there is none.
///
/// # Errors
/// The database's.
pub async fn ids_after(
    database: impl PgExecutor<'_>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from products
         where id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid) order by id limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(database)
    .await
}

/// Makes a product without variants, at the first slug that is free.
///
/// # Errors
/// No such category, no slug is free, or the database's.
pub async fn insert(
    tx: &mut PgConnection,
    product: NewProduct<'_>,
) -> Result<(), ChangeError<CatalogueError>> {
    let category = super::categories::id_of(tx, product.category).await?;
    let category = category.ok_or(ChangeError::Refused(CatalogueError::UnknownCategory))?;
    for slug in Slug::candidates(product.title.as_str(), product.id) {
        if insert_at(tx, &product, category, &slug).await? {
            return Ok(());
        }
    }
    Err(ChangeError::Refused(CatalogueError::SlugsTaken))
}

/// False when the slug is taken. Waits while another transaction is about to take it.
async fn insert_at(
    tx: &mut PgConnection,
    product: &NewProduct<'_>,
    category: Uuid,
    slug: &Slug,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into products (id, seller_id, slug, title, description, category_id, status, price_from_minor)
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict on constraint products_slug_unique do nothing",
    )
    .bind(product.id)
    .bind(product.seller_id)
    .bind(slug.as_str())
    .bind(product.title.as_str())
    .bind(product.description.as_str())
    .bind(category)
    .bind(product.status)
    .bind(product.price_from.minor())
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Keeps a product from changing until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn hold(tx: &mut PgConnection, id: Uuid) -> Result<Option<Held>, sqlx::Error> {
    sqlx::query_as("select id, seller_id, status, version from products where id = $1 for update")
        .bind(id)
        .fetch_optional(tx)
        .await
}

/// Changes a product that is held, and gives it a new version.
///
/// # Errors
/// No such category, or the database's.
pub async fn change(
    tx: &mut PgConnection,
    id: Uuid,
    change: Change<'_>,
) -> Result<(), ChangeError<CatalogueError>> {
    let category = match change.category {
        Some(slug) => {
            let category = super::categories::id_of(tx, slug).await?;
            Some(category.ok_or(ChangeError::Refused(CatalogueError::UnknownCategory))?)
        }
        None => None,
    };
    sqlx::query(
        "update products set title = coalesce($2, title), description = coalesce($3, description),
             category_id = coalesce($4, category_id), status = coalesce($5, status),
             price_from_minor = coalesce($6, price_from_minor), version = version + 1, updated_at = now()
         where id = $1",
    )
    .bind(id)
    .bind(change.title.map(Title::as_str))
    .bind(change.description.map(Description::as_str))
    .bind(category)
    .bind(change.status)
    .bind(change.price_from.map(Price::minor))
    .execute(tx)
    .await
    .map_err(StoreError::from)?;
    Ok(())
}
