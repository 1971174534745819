//! Pictures of products. The pictures themselves are in the bucket.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::ChangeError;
use super::products::ImageRow;
use crate::domain::catalogue::{Alt, ByteSize, CatalogueError, IMAGES_MAX, MediaType, Status};

/// A picture that is about to be uploaded.
#[derive(Debug, Clone, Copy)]
pub struct NewImage<'a> {
    /// Its id.
    pub id: Uuid,
    /// The product.
    pub product_id: Uuid,
    /// Where it will be in the bucket once it proved to be a picture.
    pub object_key: &'a str,
    /// Its kind.
    pub media_type: MediaType,
    /// Its size.
    pub byte_size: ByteSize,
    /// What it shows.
    pub alt: &'a Alt,
}

/// A picture as it was announced.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Announced {
    /// Its id.
    pub id: Uuid,
    /// The product.
    pub product_id: Uuid,
    /// Who sells the product.
    pub seller_id: Uuid,
    /// Where the product stands.
    pub status: Status,
    /// Where it is, or will be, in the bucket.
    pub object_key: String,
    /// Its kind.
    pub content_type: String,
    /// Its size.
    pub byte_size: i64,
    /// What it shows.
    pub alt: String,
    /// Whether it is there and is that picture.
    pub completed: bool,
}

impl From<Announced> for ImageRow {
    fn from(image: Announced) -> Self {
        Self {
            id: image.id,
            object_key: image.object_key,
            alt: image.alt,
        }
    }
}

/// Announces a picture of a product that the transaction holds.
///
/// # Errors
/// The product has as many as it may; the database's.
pub async fn announce(
    tx: &mut PgConnection,
    image: NewImage<'_>,
) -> Result<(), ChangeError<CatalogueError>> {
    let inserted = sqlx::query(
        "insert into images (id, product_id, object_key, content_type, byte_size, alt, position)
         select $1, $2, $3, $4, $5, $6, count(*) from images
         where product_id = $2 and (completed_at is not null or created_at > now() - interval '1 hour')
         having count(*) < $7",
    )
    .bind(image.id)
    .bind(image.product_id)
    .bind(image.object_key)
    .bind(image.media_type.as_str())
    .bind(image.byte_size.get())
    .bind(image.alt.as_str())
    .bind(IMAGES_MAX)
    .execute(tx)
    .await?;
    if inserted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(ChangeError::Refused(CatalogueError::TooManyImages))
    }
}

/// A picture of a product.
///
/// # Errors
/// The database's.
pub async fn announced(
    database: impl PgExecutor<'_>,
    product: Uuid,
    id: Uuid,
) -> Result<Option<Announced>, sqlx::Error> {
    sqlx::query_as(
        "select i.id, i.product_id, p.seller_id, p.status, i.object_key, i.content_type, i.byte_size, i.alt,
             i.completed_at is not null as completed
         from images i join products p on p.id = i.product_id where i.id = $1 and i.product_id = $2",
    )
    .bind(id)
    .bind(product)
    .fetch_optional(database)
    .await
}

/// Shows a picture from now on. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn complete(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update images set completed_at = coalesce(completed_at, now()) where id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}
