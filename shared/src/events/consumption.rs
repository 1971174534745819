//! What consumers note in the journal, and what they see missing there.

use crate::domain::events::Place;
use crate::state::Base;
use crate::store::outbox::{self, Missing};
use crate::store::{StoreError, database};

/// Notes that these events were handled, and says which earlier ones of their aggregates were not.
/// A failure is only logged: the sweeper has the event sent again, and consumers take a repeat.
pub(super) async fn consumed(base: &Base, places: &[Place]) {
    if places.is_empty() {
        return;
    }
    match note(base, places).await {
        Ok(gaps) => gaps.iter().for_each(log),
        Err(error) => tracing::warn!(error = %error, "the journal does not know of it"),
    }
}

async fn note(base: &Base, places: &[Place]) -> Result<Vec<Missing>, StoreError> {
    let mut tx = base.database.begin().await?;
    let noted = database::within(async {
        outbox::mark_consumed(&mut tx, places).await?;
        Ok::<_, StoreError>(outbox::missing_before(&mut tx, places).await?)
    });
    let missing = noted.await?;
    database::commit(tx).await?;
    Ok(missing)
}

/// Queues keep no order, so most come a moment later; the sweeper looks after the others.
fn log(gap: &Missing) {
    tracing::info!(
        queue = gap.queue,
        aggregate = %gap.aggregate_id,
        sequence = gap.sequence,
        "an earlier event of the aggregate has not come yet"
    );
}
