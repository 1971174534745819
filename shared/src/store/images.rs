//! Pictures of products. The pictures themselves are in the bucket.

use sqlx::PgConnection;
use uuid::Uuid;

use super::ChangeError;
use crate::domain::catalogue::{Alt, ByteSize, CatalogueError, IMAGES_MAX, MediaType};

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
    tx: &mut PgConnection,
    product: Uuid,
    id: Uuid,
) -> Result<Option<Announced>, sqlx::Error> {
    sqlx::query_as(
        "select id, object_key, content_type, byte_size, alt, completed_at is not null as completed
         from images where id = $1 and product_id = $2",
    )
    .bind(id)
    .bind(product)
    .fetch_optional(tx)
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
