//! The tree of categories.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use shared::domain::catalogue::{CatalogueError, Slug, Title};
use shared::domain::events::{CATEGORIES, Event};
use shared::domain::ids;
use shared::events;
use shared::http::{Admin, ApiError, BASE_PATH, Json, LastGoodRead, Path, Problem, Representation};
use shared::store::categories::{self, CategoryChange, CategoryRow};
use shared::store::database::{self, Tx};
use shared::store::last_good::LastGoodError;
use shared::store::outbox;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;

/// A category and those below it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CategoryView {
    /// Its name in addresses.
    #[schema(example = "kitchen")]
    slug: String,
    /// What it is called.
    #[schema(example = "Kitchen")]
    title: String,
    /// Those below it.
    #[schema(no_recursion)]
    children: Vec<CategoryView>,
}

/// Every category.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryTree {
    /// Those at the top.
    items: Vec<CategoryView>,
}

/// A category to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    /// What it is called.
    title: Title,
    /// Its name in addresses; made from the title when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slug: Option<Slug>,
    /// The slug of the category above it; at the top when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Slug>,
    /// Its place among its siblings, 0 by default; the same place goes by title.
    #[serde(default)]
    position: i32,
}

/// What is to be changed of a category. What is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryBody {
    /// What it is called. The slug stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Title>,
    /// The slug of the category above it; null moves it to the top.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, example = "home")]
    parent: Option<Option<Slug>>,
    /// Its place among its siblings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<i32>,
}

/// Tells a null from a field that is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Slug>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The tree of categories.
#[utoipa::path(
    get, path = "/categories", tag = "catalogue",
    responses(
        (status = 200, body = CategoryTree, description = "Every category",
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away and nothing is kept"),
    )
)]
pub async fn list_categories(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let read = async || {
        let all = |pool| async move { categories::all(&pool).await };
        let rows = if state.reads.wrote_recently() {
            state.database.read_own(all).await?
        } else {
            state.database.read(all).await?
        };
        represent(rows)
    };
    let last_good = async || {
        let found = state.last_good.categories().await;
        let found = found.map_err(ApiError::unavailable)?;
        let found = found.ok_or_else(|| ApiError::unavailable(LastGoodError::Incomplete))?;
        Ok(LastGoodRead {
            representation: represent(found.value)?,
            written_at: found.written_at,
        })
    };
    state
        .reads
        .answer("categories".to_owned(), &headers, read, last_good)
        .await
}

fn represent(rows: Vec<CategoryRow>) -> Result<Representation, ApiError> {
    let items = tree(rows, None);
    Representation::of(&CategoryTree { items })
}

/// Makes a category.
#[utoipa::path(
    post, path = "/categories", tag = "catalogue", security(("bearer" = [])),
    request_body = NewCategory,
    responses(
        (status = 201, body = CategoryView, description = "The category", headers(("Location"))),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Only an admin may"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another category has the slug"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
    )
)]
pub async fn post_category(
    State(state): State<AppState>,
    _admin: Admin,
    Json(body): Json<NewCategory>,
) -> Result<Response, ApiError> {
    let slug = body.slug.unwrap_or_else(|| Slug::of(body.title.as_str()));
    let mut tx = state.database.begin().await?;
    let (slug, title) = (String::from(slug), String::from(body.title));
    let inserted = database::within(async {
        let parent_id = match &body.parent {
            Some(parent) => {
                let parent = categories::id_of(&mut tx, parent).await?;
                Some(parent.ok_or(CatalogueError::UnknownParent)?)
            }
            None => None,
        };
        let row = CategoryRow {
            id: ids::new_id(),
            slug,
            title,
            parent_id,
        };
        categories::insert(&mut tx, &row, body.position).await?;
        Ok::<_, ApiError>(row)
    });
    let row = inserted.await?;
    commit_change(&state, tx).await?;
    let location = format!("{BASE_PATH}/categories/{}", row.slug);
    let view = CategoryView {
        slug: row.slug,
        title: row.title,
        children: Vec::new(),
    };
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Changes a category: its title, its place, or the category above it.
#[utoipa::path(
    patch, path = "/categories/{slug}", tag = "catalogue", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The category's slug", example = "kitchen")),
    request_body = CategoryBody,
    responses(
        (status = 200, body = CategoryView, description = "The category and those below it"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Only an admin may"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It would be below itself"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
    )
)]
pub async fn patch_category(
    State(state): State<AppState>,
    Path(slug): Path<Slug>,
    _admin: Admin,
    Json(body): Json<CategoryBody>,
) -> Result<Json<CategoryView>, ApiError> {
    let mut tx = state.database.begin().await?;
    let changed = database::within(async {
        let id = categories::id_of(&mut tx, &slug)
            .await?
            .ok_or_else(ApiError::not_found)?;
        let parent = match &body.parent {
            Some(Some(parent)) => {
                let parent = categories::id_of(&mut tx, parent).await?;
                Some(Some(parent.ok_or(CatalogueError::UnknownParent)?))
            }
            Some(None) => Some(None),
            None => None,
        };
        let change = CategoryChange {
            title: body.title.as_ref(),
            parent,
            position: body.position,
        };
        categories::change(&mut tx, id, change).await?;
        Ok::<_, ApiError>((id, categories::all(&mut *tx).await?))
    });
    let (id, rows) = changed.await?;
    commit_change(&state, tx).await?;
    let row = rows
        .iter()
        .find(|row| row.id == id)
        .cloned()
        .ok_or_else(ApiError::not_found)?;
    let children = tree(rows, Some(id));
    Ok(Json(CategoryView {
        slug: row.slug,
        title: row.title,
        children,
    }))
}

/// Commits a change of the tree, and tells who keeps it.
async fn commit_change(state: &AppState, mut tx: Tx) -> Result<(), ApiError> {
    outbox::add(&mut tx, CATEGORIES, &Event::CategoriesChanged).await?;
    database::commit(tx).await?;
    state.reads.expire();
    events::publish(state, CATEGORIES).await;
    Ok(())
}

/// The tree below `top`, in the rows' order.
fn tree(rows: Vec<CategoryRow>, top: Option<Uuid>) -> Vec<CategoryView> {
    let mut below: HashMap<Option<Uuid>, Vec<CategoryRow>> = HashMap::new();
    for row in rows {
        below.entry(row.parent_id).or_default().push(row);
    }
    grow(&mut below, top)
}

fn grow(
    below: &mut HashMap<Option<Uuid>, Vec<CategoryRow>>,
    parent: Option<Uuid>,
) -> Vec<CategoryView> {
    let rows = below.remove(&parent).unwrap_or_default();
    let view = |row: CategoryRow| CategoryView {
        children: grow(below, Some(row.id)),
        slug: row.slug,
        title: row.title,
    };
    rows.into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tree_keeps_the_order_of_siblings() {
        let (home, kitchen, garden, mugs) = (1, 2, 3, 4);
        let row = |id: u128, slug: &str, parent: Option<u128>| CategoryRow {
            id: Uuid::from_u128(id),
            slug: slug.to_owned(),
            title: slug.to_owned(),
            parent_id: parent.map(Uuid::from_u128),
        };
        let rows = vec![
            row(mugs, "mugs", Some(kitchen)),
            row(home, "home", None),
            row(kitchen, "kitchen", Some(home)),
            row(garden, "garden", Some(home)),
        ];
        let items = tree(rows, None);
        assert_eq!(items.len(), 1);
        let children: Vec<_> = items[0].children.iter().map(|child| &*child.slug).collect();
        assert_eq!(children, ["kitchen", "garden"]);
        assert_eq!(items[0].children[0].children[0].slug, "mugs");
    }

    #[test]
    fn null_parent_is_not_a_missing_one() {
        let parse = |json: &str| serde_json::from_str::<CategoryBody>(json).unwrap().parent;
        assert_eq!(parse("{}"), None);
        assert_eq!(parse(r#"{"parent": null}"#), Some(None));
    }
}
