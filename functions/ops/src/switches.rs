//! What flags and breakers have in common: a reason, and who had it, for the record.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use shared::clock;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::dynamo::control::Change;
use shared::http::{Admin, Json};
use shared::store::audit::{self, Entry};
use shared::store::{StoreError, database};
use shared::telemetry;

use crate::AppState;

/// What an admin did just now.
pub(crate) struct Done<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) action: Action,
    pub(crate) subject: &'static str,
    pub(crate) detail: Value,
}

/// Who changes something, when and why.
pub(crate) fn change(admin: &Admin, reason: Reason) -> Change {
    Change {
        by: admin.0.id(),
        at: clock::now(),
        reason: reason.into(),
    }
}

/// Records what was done, and answers with how things stand. The switch holds already and says
/// itself who moved it: without a database, when switches are needed most, the record is in the log alone.
pub(crate) async fn recorded<T: Serialize>(state: &AppState, done: &Done<'_>, view: T) -> Response {
    match record(state, done).await {
        Ok(()) => Json(view).into_response(),
        Err(error) => {
            tracing::error!(
                actor = %done.admin.0.id(),
                action = done.action.name(),
                subject = done.subject,
                detail = %done.detail,
                error = telemetry::chain(&error),
                "not in the audit log"
            );
            ([("x-degraded", "database")], Json(view)).into_response()
        }
    }
}

async fn record(state: &AppState, done: &Done<'_>) -> Result<(), StoreError> {
    let mut tx = state.database.begin().await?;
    let entry = Entry {
        actor: done.admin.0.id(),
        action: done.action,
        subject: done.subject,
        detail: done.detail.clone(),
    };
    audit::record(&mut tx, &entry).await?;
    database::commit(tx).await
}
