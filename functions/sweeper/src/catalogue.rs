//! Compares the last-good catalogue in S3 with the database and mends what
//! differs, so that an event that was lost does not show for ever.
//!
//! A run compares the tree of categories, the rates, the lists of one category
//! and some products, and goes on in the next where it ended. Until it has been
//! through everything once it does as much as it can in a run: so a shop that
//! had a database before it had a last-good catalogue gets one by itself.
//! Without `walk.json` in the bucket it begins anew.

use lambda_runtime::Error;
use serde::Serialize;
use shared::clock;
use shared::domain::catalogue::{Slug, Sort};
use shared::events::Work;
use shared::operations::project_catalogue::{self, ProjectError};
use shared::resilience::Deadline;
use shared::resilience::policies::CATALOGUE_PASS_BUDGET;
use shared::store::last_good::{Part, Walk, keys};
use shared::store::{StoreError, database, products};
use uuid::Uuid;

use crate::AppState;

/// Products per run, once everything was compared.
const SAMPLE: i64 = 50;

/// What a run did.
#[derive(Debug, Default, Serialize)]
struct Compared {
    /// Things that were compared.
    compared: usize,
    /// Of their parts, those that were something else.
    repaired: usize,
    /// Things that could not be compared.
    failed: usize,
    /// Whether everything has been compared at least once.
    complete: bool,
}

impl Compared {
    fn count(&mut self, what: &str, result: Result<usize, ProjectError>) {
        match result {
            Ok(repaired) => {
                self.compared += 1;
                self.repaired += repaired;
            }
            Err(error) => {
                self.failed += 1;
                let error = shared::telemetry::chain(&error);
                tracing::warn!(what, error, "not compared with the database");
            }
        }
    }
}

/// Compares and mends a part of the catalogue.
///
/// # Errors
/// The database or the store is away, or nothing could be compared.
pub(crate) async fn compare(state: &AppState) -> Result<Work, Error> {
    let deadline = Deadline::after(CATALOGUE_PASS_BUDGET);
    let mut walk = state.last_good.walk().await?;
    let mut done = Compared::default();
    done.count("rates", project_catalogue::rates(state).await);
    done.count("categories", project_catalogue::categories(state).await);
    compare_lists(state, &mut walk, &mut done).await?;
    loop {
        compare_products(state, &mut walk, &mut done).await?;
        let part = Part::of(keys::WALK.to_owned(), &walk)?;
        state.last_good.bring(&part).await?;
        if walk.completed_at.is_some() || deadline.remaining().is_zero() {
            break;
        }
    }
    done.complete = walk.completed_at.is_some();
    if done.repaired > 0 {
        tracing::warn!(
            compared = done.compared,
            repaired = done.repaired,
            "the last-good catalogue was mended"
        );
    }
    // One thing alone would keep the job from ever being done.
    if done.failed > 0 && done.compared == 0 {
        return Err(format!("{} not compared with the database", done.failed).into());
    }
    Ok(Work::Done {
        count: done.compared,
        left: done.failed,
        details: serde_json::to_value(done)?,
    })
}

/// The lists of the next category, or of all.
async fn compare_lists(
    state: &AppState,
    walk: &mut Walk,
    done: &mut Compared,
) -> Result<(), Error> {
    let kept = state.last_good.categories().await?;
    let rows = kept.map(|kept| kept.value).unwrap_or_default();
    let slugs = rows.into_iter().map(|row| Slug::try_from(row.slug));
    let categories: Vec<_> = slugs.flatten().map(Some).chain([None]).collect();
    let next = categories.get(walk.lists % categories.len());
    for sort in Sort::OF_LISTS {
        let category = next.and_then(Option::as_ref);
        done.count("list", project_catalogue::list(state, category, sort).await);
    }
    walk.lists = walk.lists.wrapping_add(1);
    Ok(())
}

/// The next products. Behind the last one it starts again at the first.
async fn compare_products(
    state: &AppState,
    walk: &mut Walk,
    done: &mut Compared,
) -> Result<(), Error> {
    let ids = next_products(state, walk.after).await?;
    for id in &ids {
        done.count("product", project_catalogue::product(state, *id).await);
    }
    walk.after = ids.last().copied();
    if i64::try_from(ids.len()).unwrap_or_default() < SAMPLE {
        walk.after = None;
        if done.failed == 0 {
            walk.completed_at = Some(clock::now());
        }
    }
    Ok(())
}

async fn next_products(state: &AppState, after: Option<Uuid>) -> Result<Vec<Uuid>, StoreError> {
    let mut tx = state.database.begin().await?;
    let ids = products::ids_after(&mut *tx, after, SAMPLE).await?;
    database::commit(tx).await?;
    Ok(ids)
}
