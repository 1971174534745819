//! Who did what. Append-only.

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::audit::Action;
use crate::domain::ids;

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Who.
    pub actor: Uuid,
    /// What.
    pub action: Action,
    /// To what: an id or a name.
    pub subject: &'a str,
    /// With which particulars.
    pub detail: Value,
}

/// One thing that somebody did.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Shown {
    /// Its id.
    pub id: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who.
    pub actor_id: Uuid,
    /// What; one of another release may have another name than those of this one.
    #[schema(example = "flag.set")]
    pub action: String,
    /// To what: an id or a name.
    #[schema(example = "checkout")]
    pub subject: String,
    /// With which particulars; what they are depends on the action.
    #[schema(value_type = Object, example = json!({"enabled": false, "reason": "prices are wrong"}))]
    pub detail: Value,
}

/// Which are read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of one account.
    pub actor: Option<Uuid>,
    /// Those of one kind.
    pub action: Option<Action>,
    /// Those about one thing.
    pub subject: Option<String>,
    /// Those at this moment and later.
    pub since: Option<OffsetDateTime>,
    /// Those before this moment.
    pub until: Option<OffsetDateTime>,
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
    .bind(entry.action.name())
    .bind(entry.subject)
    .bind(&entry.detail)
    .execute(tx)
    .await?;
    Ok(())
}

/// What was done, the newest first: at most `limit + 1`, after the entry with the id `after`.
///
/// # Errors
/// The database's.
pub async fn page(
    pool: &PgPool,
    filter: &Filter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Shown>, sqlx::Error> {
    sqlx::query_as(
        "select id, at, actor_id, action, subject, detail from audit_log
         where ($1::uuid is null or actor_id = $1) and ($2::text is null or action = $2)
             and ($3::text is null or subject = $3)
             and ($4::timestamptz is null or at >= $4) and ($5::timestamptz is null or at < $5)
             and ($6::uuid is null or (at, id) < (select at, id from audit_log where id = $6))
         order by at desc, id desc limit $7",
    )
    .bind(filter.actor)
    .bind(filter.action.map(Action::name))
    .bind(filter.subject.as_deref())
    .bind(filter.since)
    .bind(filter.until)
    .bind(after)
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}
