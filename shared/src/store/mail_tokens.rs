//! The tokens in mails: good once, kept as their digests.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::secrets::Digest;

/// What a mailed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// Proving that an address is its owner's.
    VerifyEmail,
    /// Choosing a password without knowing the present one.
    ResetPassword,
}

impl Purpose {
    /// How long a token is good, in hours. The first only says whose an address
    /// is, the second opens an account.
    const fn lifetime_hours(self) -> i32 {
        match self {
            Self::VerifyEmail => 24,
            Self::ResetPassword => 1,
        }
    }
}

/// Keeps a token's digest.
///
/// # Errors
/// The database's.
pub async fn add(
    tx: &mut PgConnection,
    user: Uuid,
    (purpose, token): (Purpose, &Digest),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into mail_tokens (token_hash, user_id, purpose, expires_at)
         values ($1, $2, $3, now() + make_interval(hours => $4))",
    )
    .bind(token.as_bytes().as_slice())
    .bind(user)
    .bind(purpose)
    .bind(purpose.lifetime_hours())
    .execute(tx)
    .await?;
    Ok(())
}

/// The address of whose a token is, as typed, unless the token is unknown, used or
/// too old. Uses nothing up.
///
/// # Errors
/// The database's.
pub async fn owner_email(
    pool: &PgPool,
    purpose: Purpose,
    token: &Digest,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select u.email from mail_tokens t join users u on u.id = t.user_id
         where t.token_hash = $1 and t.purpose = $2 and t.used_at is null and t.expires_at > now()
             and u.deleted_at is null",
    )
    .bind(token.as_bytes().as_slice())
    .bind(purpose)
    .fetch_optional(pool)
    .await
}

/// Uses a token up; whose it was, unless it is unknown, used or too old.
///
/// # Errors
/// The database's.
pub async fn spend(
    tx: &mut PgConnection,
    purpose: Purpose,
    token: &Digest,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "update mail_tokens set used_at = now()
         where token_hash = $1 and purpose = $2 and used_at is null and expires_at > now()
         returning user_id",
    )
    .bind(token.as_bytes().as_slice())
    .bind(purpose)
    .fetch_optional(tx)
    .await
}

/// Uses up every token of an account for one purpose.
///
/// # Errors
/// The database's.
pub async fn spend_all(
    tx: &mut PgConnection,
    user: Uuid,
    purpose: Purpose,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update mail_tokens set used_at = now()
         where user_id = $1 and purpose = $2 and used_at is null",
    )
    .bind(user)
    .bind(purpose)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets tokens that stopped being good so long ago, used or not, the oldest first, at most
/// `limit`; how many they were.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut PgConnection, kept: Duration, limit: i64) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from mail_tokens where token_hash = any (array(
             select token_hash from mail_tokens where expires_at < now() - make_interval(secs => $1)
             order by expires_at limit $2))",
    )
    .bind(kept.as_secs_f64())
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
