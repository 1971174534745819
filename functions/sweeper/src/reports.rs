//! Forgets what browsers reported long ago.

use shared::resilience::policies::REPORTS_KEPT;
use shared::store::{StoreError, activities};

use crate::AppState;

/// Forgets reports that are too old to count for anything, some thousand at a time; how many.
///
/// # Errors
/// The database's.
pub(crate) async fn forget(state: &AppState) -> Result<usize, StoreError> {
    let forgotten = state.database.write(async |tx| {
        let visitors = activities::forget_visitors(tx, REPORTS_KEPT).await?;
        let counted = activities::forget_counted(tx, REPORTS_KEPT).await?;
        Ok(visitors + counted)
    });
    Ok(usize::try_from(forgotten.await?).unwrap_or(usize::MAX))
}
