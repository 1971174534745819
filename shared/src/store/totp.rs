//! Second factors and their recovery codes.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::secrets::Digest;

/// A second factor, read under its lock: codes are judged one after the other.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Enrolment {
    /// Its id.
    pub id: Uuid,
    /// The secret, sealed for its account.
    pub secret: Vec<u8>,
    /// The time steps whose codes were used lately.
    pub used_steps: Vec<i64>,
    /// Wrong codes in a row.
    pub failures: i32,
    /// When the last one came.
    pub failed_at: Option<OffsetDateTime>,
}

/// Which second factor of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The one that waits for its first code.
    Pending,
    /// The one in use.
    Confirmed,
}

/// Whether an account has a second factor in use.
///
/// # Errors
/// The database's.
pub async fn is_confirmed(executor: impl PgExecutor<'_>, user: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from totp_enrolments where user_id = $1 and confirmed_at is not null)",
    )
    .bind(user)
    .fetch_one(executor)
    .await
}

/// Forgets the account's second factor at `stage`, with its recovery codes.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut PgConnection, user: Uuid, stage: Stage) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from totp_enrolments where user_id = $1 and (confirmed_at is not null) = $2",
    )
    .bind(user)
    .bind(stage == Stage::Confirmed)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps a sealed secret that waits for its first code.
///
/// # Errors
/// The database's; `totp_enrolments_one_pending` when another one waits.
pub async fn insert(
    tx: &mut PgConnection,
    id: Uuid,
    user: Uuid,
    secret: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into totp_enrolments (id, user_id, secret) values ($1, $2, $3)")
        .bind(id)
        .bind(user)
        .bind(secret)
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps the digests of a second factor's recovery codes.
///
/// # Errors
/// The database's.
pub async fn insert_recovery_codes(
    tx: &mut PgConnection,
    enrolment: Uuid,
    codes: &[Digest],
) -> Result<(), sqlx::Error> {
    let codes: Vec<&[u8]> = codes
        .iter()
        .map(|code| code.as_bytes().as_slice())
        .collect();
    sqlx::query(
        "insert into recovery_codes (enrolment_id, code_hash) select $1, unnest($2::bytea[])",
    )
    .bind(enrolment)
    .bind(codes)
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks the account's second factor at `stage`.
///
/// # Errors
/// The database's.
pub async fn lock(
    tx: &mut PgConnection,
    user: Uuid,
    stage: Stage,
) -> Result<Option<Enrolment>, sqlx::Error> {
    sqlx::query_as(
        "select id, secret, used_steps, failures, failed_at from totp_enrolments
         where user_id = $1 and (confirmed_at is not null) = $2 for update",
    )
    .bind(user)
    .bind(stage == Stage::Confirmed)
    .fetch_optional(tx)
    .await
}

/// Takes a second factor into use, in the place of the one before, which is forgotten first.
///
/// # Errors
/// The database's; `totp_enrolments_one_confirmed` when another one is in use.
pub async fn confirm(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update totp_enrolments set confirmed_at = now() where id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Remembers the steps whose codes were used, and forgets wrong codes.
///
/// # Errors
/// The database's.
pub async fn record_use(
    tx: &mut PgConnection,
    id: Uuid,
    used_steps: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update totp_enrolments set used_steps = $2, failures = 0, failed_at = null where id = $1",
    )
    .bind(id)
    .bind(used_steps)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts a wrong code.
///
/// # Errors
/// The database's.
pub async fn record_failure(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update totp_enrolments set failures = least(failures, 1000) + 1, failed_at = now() where id = $1",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Uses a recovery code up; false when there is none such.
///
/// # Errors
/// The database's.
pub async fn use_recovery_code(
    tx: &mut PgConnection,
    enrolment: Uuid,
    code: &Digest,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query("delete from recovery_codes where enrolment_id = $1 and code_hash = $2")
        .bind(enrolment)
        .bind(code.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(used.rows_affected() == 1)
}
