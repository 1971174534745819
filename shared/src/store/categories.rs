//! The tree of categories.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{ChangeError, OnConstraint, StoreError};
use crate::domain::catalogue::{CatalogueError, Slug, Title};

/// One category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct CategoryRow {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// What it is called.
    pub title: String,
    /// The category above it.
    pub parent_id: Option<Uuid>,
}

/// What is to be changed of a category; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct CategoryChange<'a> {
    /// What it is called.
    pub title: Option<&'a Title>,
    /// The category above it; `Some(None)` moves it to the top.
    pub parent: Option<Option<Uuid>>,
    /// Its place among its siblings.
    pub position: Option<i32>,
}

/// Every category, in the order of their places. A shop has some hundreds.
///
/// # Errors
/// The database's.
pub async fn all(database: impl PgExecutor<'_>) -> Result<Vec<CategoryRow>, sqlx::Error> {
    sqlx::query_as(
        "select id, slug, title, parent_id from categories order by position, lower(title), id",
    )
    .fetch_all(database)
    .await
}

/// The id of a category.
///
/// # Errors
/// The database's.
pub async fn id_of(tx: &mut PgConnection, slug: &Slug) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select id from categories where slug = $1")
        .bind(slug.as_str())
        .fetch_optional(tx)
        .await
}

/// A category and every one below it; empty when there is none of that slug.
///
/// # Errors
/// The database's.
pub async fn with_descendants(
    connection: &mut PgConnection,
    slug: &Slug,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive tree (id) as (
             select id from categories where slug = $1
             union select c.id from categories c join tree on c.parent_id = tree.id
         )
         select id from tree",
    )
    .bind(slug.as_str())
    .fetch_all(connection)
    .await
}

/// Makes a category.
///
/// # Errors
/// Another one has the slug; the database's.
pub async fn insert(
    tx: &mut PgConnection,
    category: &CategoryRow,
    position: i32,
) -> Result<(), ChangeError<CatalogueError>> {
    sqlx::query(
        "insert into categories (id, slug, title, parent_id, position) values ($1, $2, $3, $4, $5)",
    )
    .bind(category.id)
    .bind(&category.slug)
    .bind(&category.title)
    .bind(category.parent_id)
    .bind(position)
    .execute(tx)
    .await
    .on_constraint("categories_slug_unique", || {
        ChangeError::Refused(CatalogueError::CategoryTaken)
    })?;
    Ok(())
}

/// Changes a category.
///
/// # Errors
/// It would be below itself; the database's.
pub async fn change(
    tx: &mut PgConnection,
    id: Uuid,
    change: CategoryChange<'_>,
) -> Result<(), ChangeError<CatalogueError>> {
    let result = sqlx::query(
        "update categories set title = coalesce($2, title), position = coalesce($3, position),
             parent_id = case when $4 then $5 else parent_id end
         where id = $1",
    )
    .bind(id)
    .bind(change.title.map(Title::as_str))
    .bind(change.position)
    .bind(change.parent.is_some())
    .bind(change.parent.flatten())
    .execute(tx)
    .await;
    match result.map_err(StoreError::from) {
        Err(error)
            if matches!(
                error.constraint(),
                Some("categories_no_circle" | "categories_not_own_parent")
            ) =>
        {
            Err(ChangeError::Refused(CatalogueError::CategoryCircle))
        }
        result => Ok(result.map(drop)?),
    }
}
