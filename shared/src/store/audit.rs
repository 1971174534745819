//! Who did what. Append-only.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::ids;

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who.
    pub actor: Uuid,
    /// What, such as `order.refund`.
    pub action: &'static str,
    /// To what: an id or a name.
    pub subject: &'a str,
    /// With which particulars.
    pub detail: Value,
}

/// Records what somebody does, in the transaction that does it.
///
/// # Errors
/// The database's.
pub async fn record(tx: &mut PgConnection, entry: &Entry<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into audit_log (id, actor_id, action, subject, detail) values ($1, $2, $3, $4, $5)",
    )
    .bind(ids::new_id())
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.subject)
    .bind(&entry.detail)
    .execute(tx)
    .await?;
    Ok(())
}
