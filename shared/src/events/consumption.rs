//! What consumers note in the journal, and what they see missing there.

use crate::domain::events::Place;
use crate::state::Base;
use crate::store::StoreError;
use crate::store::outbox::{self, Missing};

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
    let noted = base.database.write(async |tx| {
        outbox::mark_consumed(tx, places).await?;
        outbox::missing_before(tx, places).await
    });
    noted.await
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
