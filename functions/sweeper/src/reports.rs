//! Forgets what browsers reported long ago.

use shared::resilience::policies::REPORTS_KEPT;
use shared::store::{StoreError, activities, database};

use crate::AppState;

/// Forgets reports that are too old to count for anything, some thousand at a time; how many.
///
/// # Errors
/// The database's.
pub(crate) async fn forget(state: &AppState) -> Result<usize, StoreError> {
    let mut tx = state.database.begin().await?;
    let forgotten = database::within(async {
        let visitors = activities::forget_visitors(&mut tx, REPORTS_KEPT).await?;
        let counted = activities::forget_counted(&mut tx, REPORTS_KEPT).await?;
        Ok::<_, StoreError>(visitors + counted)
    });
    let forgotten = forgotten.await?;
    database::commit(tx).await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}
