//! What could not be erased when an account was closed: where orders go that are
//! still to be sent, and what the payment provider knows.

use shared::events::Work;
use shared::operations::OperationError;
use shared::store::{PgConnection, StoreError, database, erasure};
use uuid::Uuid;

use crate::{AppState, PER_RUN, each};

/// Looks at closed accounts; how many it is done with for now.
pub(crate) async fn erase(state: &AppState) -> Result<Work, OperationError> {
    let mut tx = state.database.begin().await?;
    let due = database::statement(erasure::due(&mut tx, PER_RUN)).await?;
    database::commit(tx).await?;
    each(&due, |user| erase_left_over(state, user)).await
}

/// Erases what is not needed any more. Cut off anywhere, it begins anew.
async fn erase_left_over(state: &AppState, user: Uuid) -> Result<(), OperationError> {
    let mut tx = state.database.begin().await?;
    let customer = database::within(erase_stored(&mut tx, user)).await?;
    database::commit(tx).await?;
    if let Some(customer) = customer {
        state.payments.delete_customer(&customer).await?;
        let mut tx = state.database.begin().await?;
        database::statement(erasure::forget_provider_customer(&mut tx, user)).await?;
        database::commit(tx).await?;
    }
    Ok(())
}

/// Erases what is stored here, and says whom the provider is to forget.
async fn erase_stored(tx: &mut PgConnection, user: Uuid) -> Result<Option<String>, StoreError> {
    erasure::erase_addresses(tx, user).await?;
    erasure::erase_answers(tx, user).await?;
    erasure::forget_cards(tx, user).await?;
    if !erasure::finish(tx, user).await? {
        erasure::postpone(tx, user).await?;
    }
    Ok(erasure::provider_customer_to_delete(tx, user).await?)
}
