//! Ending an account's sessions.

use shared::context;
use shared::http::ApiError;
use shared::resilience::policies::SESSIONS_END_TIMEOUT;
use shared::store::{StoreError, accounts};
use uuid::Uuid;

use crate::AppState;

/// What an answer says was missing when access tokens are good until they expire.
const DEGRADED: &str = "sessions";

/// Tells the session store of an end that is committed already. Without it no
/// session can be refreshed, and once it is back none that the end was stored for.
pub(crate) async fn everywhere(state: &AppState, user_id: Uuid) {
    let ended = state.sessions.end_all(user_id);
    match tokio::time::timeout(SESSIONS_END_TIMEOUT, ended).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => degrade(&error),
        Err(elapsed) => degrade(&elapsed),
    }
}

/// Ends every session of somebody who asks for nothing else. Of database and
/// session store one is enough.
pub(crate) async fn on_request(state: &AppState, user_id: Uuid) -> Result<(), ApiError> {
    match tokio::join!(record(state, user_id), state.sessions.end_all(user_id)) {
        (Ok(()), Err(error)) => degrade(&error),
        (Err(error), Ok(())) => {
            tracing::warn!(error = %error, "only the session store knows that sessions ended");
        }
        (_, ended) => ended?,
    }
    Ok(())
}

fn degrade(error: &dyn std::error::Error) {
    tracing::warn!(error = %error, "access tokens are good until they expire");
    context::degraded(DEGRADED);
}

async fn record(state: &AppState, user_id: Uuid) -> Result<(), StoreError> {
    state
        .database
        .write(async |tx| accounts::end_sessions(tx, user_id).await)
        .await
}
