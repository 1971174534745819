//! What could not be erased when an account was closed: where orders go that are
//! still to be sent, and what the payment provider knows.

use shared::events::Work;
use shared::operations::OperationError;
use shared::store::{PgConnection, StoreError, erasure};
use uuid::Uuid;

use crate::{AppState, PER_RUN, each};

/// Looks at closed accounts; how many it is done with for now.
pub(crate) async fn erase(state: &AppState) -> Result<Work, OperationError> {
    let due = state
        .database
        .write(async |tx| erasure::due(tx, PER_RUN).await)
        .await?;
    each(&due, |user| erase_left_over(state, user)).await
}

/// Erases what is not needed any more. Cut off anywhere, it begins anew.
async fn erase_left_over(state: &AppState, user: Uuid) -> Result<(), OperationError> {
    let customer = state
        .database
        .transact(async |tx| erase_stored(tx, user).await)
        .await?;
    if let Some(customer) = customer {
        state.payments.delete_customer(&customer).await?;
        state
            .database
            .write(async |tx| erasure::forget_provider_customer(tx, user).await)
            .await?;
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
