//! Brings the last-good catalogue in S3 to what the database says.
//!
//! Nothing is taken from an event but which rows to look at, and these are read
//! where they are written. What is there already is not written again. A list
//! replaces only what was fetched before its rows were read; the parts of a
//! product are compared once more after every write. So this may come twice, late,
//! in any order and beside itself, and whoever writes last has seen the newest.

mod recent;

pub use recent::Recent;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock;
use crate::domain::catalogue::{Slug, Sort, Status};
use crate::state::Shelf;
use crate::store::categories::{self, CategoryRow};
use crate::store::last_good::{AllRates, LastGoodError, Part, keys};
use crate::store::products::{self, ProductKey};
use crate::store::{StoreError, database, listing, rates, recommendations, reservations, variants};

/// Products in a list that is kept.
const LIST_LENGTH: i64 = 200;

/// Products that are kept as trending: as many as anybody may ask for.
const TRENDING_LENGTH: i64 = 100;

/// So often a product may change while it is written.
const ROUNDS_MAX: usize = 5;

/// Things at once; an environment has two connections.
const AT_ONCE: usize = 2;

/// Fetches at once.
const FETCHES_AT_ONCE: usize = 8;

/// Why the last-good catalogue was not brought to what the database says.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The last-good catalogue failed.
    #[error(transparent)]
    LastGood(#[from] LastGoodError),
    /// A product changed faster than it could be written.
    #[error("it changed each time that it was written")]
    Unsettled,
    /// Never in practice: a row that cannot be written as JSON.
    #[error("it cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

/// Brings lists and pages to what the database says of products that are known
/// to have changed by these instants, each list once, and none that was made since.
/// The products that could not be brought, and why; their lists were.
///
/// # Errors
/// Some list could not be brought, or it is not known which.
pub async fn products(
    state: &Shelf,
    recent: &Recent,
    changed: &BTreeMap<Uuid, OffsetDateTime>,
) -> Result<BTreeMap<Uuid, ProjectError>, ProjectError> {
    let is_old = |(id, at): &(&Uuid, &OffsetDateTime)| !recent.holds(&keys::product(**id), **at);
    let changed: BTreeMap<Uuid, OffsetDateTime> = changed
        .iter()
        .filter(is_old)
        .map(|(id, at)| (*id, *at))
        .collect();
    let Some(changed_at) = changed.values().max().copied() else {
        return Ok(BTreeMap::new());
    };
    let ids: Vec<Uuid> = changed.into_keys().collect();
    // Lists first: a list that a product left is known from its old page only.
    let affected = categories_of(state, &ids).await?;
    if !affected.is_empty() {
        let tree = all_categories(state).await?;
        let above = affected.iter().flat_map(|slug| with_above(&tree, slug));
        let above = above.collect();
        let is_old = |(category, sort): &(Option<Slug>, Sort)| {
            !recent.holds(&keys::list(category.as_ref(), *sort), changed_at)
        };
        let old = all_lists(&above).filter(is_old);
        lists(state, recent, old).await?;
    }
    let brought = stream::iter(ids).map(async |id| {
        let read_at = clock::now();
        let result = product(state, id).await;
        if result.is_ok() {
            recent.note(keys::product(id), read_at);
        }
        (id, result)
    });
    let brought: Vec<_> = brought.buffer_unordered(AT_ONCE).collect().await;
    let failed = brought.into_iter();
    let failed = failed.filter_map(|(id, result)| Some((id, result.err()?)));
    Ok(failed.collect())
}

/// Brings a product's page and offers to what the database says; how many parts
/// were something else.
///
/// # Errors
/// The database or the store is away.
pub async fn product(state: &Shelf, id: Uuid) -> Result<usize, ProjectError> {
    settle(state, async || product_parts(state, id).await).await
}

/// Brings a list to what the database says; 1 when it was something else.
///
/// # Errors
/// The database or the store is away.
pub async fn list(
    state: &Shelf,
    category: Option<&Slug>,
    sort: Sort,
) -> Result<usize, ProjectError> {
    let key = keys::list(category, sort);
    let read = async || first_products(state, category, sort).await;
    Ok(state.last_good.follow(key, read).await?.into())
}

/// Brings the tree of categories to what the database says, with the lists of
/// those that moved; 1 when it was something else.
///
/// # Errors
/// The database or the store is away.
pub async fn categories(state: &Shelf) -> Result<usize, ProjectError> {
    let before = match state.last_good.categories().await {
        Ok(found) => found.map(|found| found.value).unwrap_or_default(),
        Err(LastGoodError::Unreadable { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let moved = moved(&before, &all_categories(state).await?);
    if !moved.is_empty() {
        // Before the tree itself, which tells who has moved.
        lists(state, &Recent::default(), all_lists(&moved)).await?;
    }
    let read = async || json(&all_categories(state).await?);
    let key = keys::CATEGORIES.to_owned();
    Ok(state.last_good.follow(key, read).await?.into())
}

/// Brings shipping and tax rates to what the database says; 1 when they were
/// something else.
///
/// # Errors
/// The database or the store is away.
pub async fn rates(state: &Shelf) -> Result<usize, ProjectError> {
    let read = async || {
        let all = state.database.write(async |tx| {
            Ok(AllRates {
                shipping: rates::all_shipping(&mut *tx).await?,
                tax: rates::all_tax(&mut *tx).await?,
            })
        });
        json(&all.await?)
    };
    let key = keys::RATES.to_owned();
    Ok(state.last_good.follow(key, read).await?.into())
}

/// Brings what is trending to what the database says of this moment; 1 when it was something else.
///
/// # Errors
/// The database or the store is away.
pub async fn trending(state: &Shelf) -> Result<usize, ProjectError> {
    let read = async || {
        let cards = state
            .database
            .write(async |tx| recommendations::trending(tx, TRENDING_LENGTH).await);
        json(&cards.await?)
    };
    let key = keys::TRENDING.to_owned();
    Ok(state.last_good.follow(key, read).await?.into())
}

/// Reads and writes until there is nothing left to write; what the first round wrote.
async fn settle(
    state: &Shelf,
    read: impl AsyncFn() -> Result<Vec<Part>, ProjectError>,
) -> Result<usize, ProjectError> {
    let mut first = None;
    for _ in 0..ROUNDS_MAX {
        let changed = state.last_good.bring_all(&read().await?).await?;
        let first = *first.get_or_insert(changed);
        if changed == 0 {
            return Ok(first);
        }
    }
    Err(ProjectError::Unsettled)
}

async fn product_parts(state: &Shelf, id: Uuid) -> Result<Vec<Part>, ProjectError> {
    let read = state.database.write(async |tx| {
        let page = products::page(&mut *tx, &ProductKey::Id(id)).await?;
        let skus = variants::skus(&mut *tx, id).await?;
        let offers = reservations::offers(&mut *tx, &skus).await?;
        Ok((page, skus, offers))
    });
    let (page, skus, offers) = read.await?;
    let Some(page) = page else {
        return Ok(vec![Part::absent(keys::product(id))]);
    };
    let (by_id, by_slug) = (keys::product(id), keys::slug(&page.card.slug));
    let mut parts = if page.card.status == Status::Active {
        vec![Part::of(by_id, &page)?, Part::of(by_slug, &page)?]
    } else {
        vec![Part::absent(by_id), Part::absent(by_slug)]
    };
    for sku in skus {
        let offer = offers.iter().find(|offer| offer.sku == sku);
        let key = keys::sku(&sku);
        parts.push(offer.map_or_else(
            || Ok(Part::absent(key.clone())),
            |offer| Part::of(key.clone(), offer),
        )?);
    }
    Ok(parts)
}

async fn first_products(
    state: &Shelf,
    category: Option<&Slug>,
    sort: Sort,
) -> Result<Bytes, ProjectError> {
    let first = state
        .database
        .write(async |tx| listing::first(tx, category, sort, LIST_LENGTH).await);
    json(&first.await?)
}

fn json<T: Serialize>(value: &T) -> Result<Bytes, ProjectError> {
    Ok(serde_json::to_vec(value)?.into())
}

/// The lists of these categories and the lists of all, in every order.
fn all_lists(categories: &BTreeSet<String>) -> impl Iterator<Item = (Option<Slug>, Sort)> {
    let slugs = categories.iter().cloned().map(Slug::try_from);
    let categories = slugs.flatten().map(Some).chain([None]);
    categories.flat_map(|category| Sort::OF_LISTS.map(|sort| (category.clone(), sort)))
}

async fn lists(
    state: &Shelf,
    recent: &Recent,
    wanted: impl Iterator<Item = (Option<Slug>, Sort)>,
) -> Result<(), ProjectError> {
    let brought = stream::iter(wanted).map(async |(category, sort)| {
        let read_at = clock::now();
        list(state, category.as_ref(), sort).await?;
        recent.note(keys::list(category.as_ref(), sort), read_at);
        Ok(())
    });
    brought
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |()| Ok(()))
        .await
}

/// The categories in whose lists these products are or, as far as is kept, were.
async fn categories_of(state: &Shelf, ids: &[Uuid]) -> Result<BTreeSet<String>, ProjectError> {
    let mut tx = state.database.begin().await?;
    let present = products::categories_on_sale(&mut *tx, ids).await;
    let mut affected: BTreeSet<String> = present.map_err(StoreError::from)?.into_iter().collect();
    database::commit(tx).await?;
    let kept = stream::iter(ids).map(async |id| state.last_good.page(&ProductKey::Id(*id)).await);
    let mut kept = kept.buffer_unordered(FETCHES_AT_ONCE);
    while let Some(page) = kept.next().await {
        match page {
            Ok(page) => affected.extend(page.map(|page| page.value.card.category)),
            Err(LastGoodError::Unreadable { .. } | LastGoodError::Incomplete) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(affected)
}

async fn all_categories(state: &Shelf) -> Result<Vec<CategoryRow>, ProjectError> {
    let mut tx = state.database.begin().await?;
    let rows = categories::all(&mut *tx).await.map_err(StoreError::from)?;
    database::commit(tx).await?;
    Ok(rows)
}

/// A category and all those above it.
fn with_above(tree: &[CategoryRow], slug: &str) -> BTreeSet<String> {
    let by_id: HashMap<Uuid, &CategoryRow> = tree.iter().map(|row| (row.id, row)).collect();
    let mut found = BTreeSet::new();
    let mut next = tree.iter().find(|row| row.slug == slug);
    // What was kept may be half old, half new: a circle ends at the second time round.
    while let Some(row) = next.filter(|row| found.insert(row.slug.clone())) {
        next = row.parent_id.and_then(|parent| by_id.get(&parent).copied());
    }
    found
}

/// The categories whose lists differ because some category came, went or moved.
fn moved(before: &[CategoryRow], after: &[CategoryRow]) -> BTreeSet<String> {
    let place = |row: &CategoryRow| (row.id, row.slug.clone(), row.parent_id);
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (
        before.iter().map(place).collect(),
        after.iter().map(place).collect(),
    );
    let mut moved = BTreeSet::new();
    for (_, slug, _) in old.symmetric_difference(&new) {
        moved.extend(with_above(before, slug));
        moved.extend(with_above(after, slug));
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128, slug: &str, parent: Option<u128>) -> CategoryRow {
        CategoryRow {
            id: Uuid::from_u128(id),
            slug: slug.to_owned(),
            title: slug.to_owned(),
            parent_id: parent.map(Uuid::from_u128),
        }
    }

    fn tree() -> Vec<CategoryRow> {
        vec![
            row(1, "home", None),
            row(2, "kitchen", Some(1)),
            row(3, "mugs", Some(2)),
            row(4, "garden", None),
        ]
    }

    fn slugs(found: &BTreeSet<String>) -> Vec<&str> {
        found.iter().map(String::as_str).collect()
    }

    #[test]
    fn product_is_in_the_lists_above_its_category() {
        assert_eq!(
            slugs(&with_above(&tree(), "mugs")),
            ["home", "kitchen", "mugs"]
        );
        assert!(with_above(&tree(), "absent").is_empty());
        let circle = [row(1, "a", Some(2)), row(2, "b", Some(1))];
        assert_eq!(slugs(&with_above(&circle, "a")), ["a", "b"]);
    }

    #[test]
    fn move_concerns_where_it_was_and_where_it_is() {
        let mut after = tree();
        after[2] = row(3, "mugs", Some(4));
        assert_eq!(
            slugs(&moved(&tree(), &after)),
            ["garden", "home", "kitchen", "mugs"]
        );
        assert!(moved(&tree(), &tree()).is_empty());
        assert_eq!(moved(&[], &tree()).len(), 4);
    }

    #[test]
    fn another_title_moves_nothing() {
        let mut after = tree();
        after[0].title = "At home".to_owned();
        assert!(moved(&tree(), &after).is_empty());
    }
}
