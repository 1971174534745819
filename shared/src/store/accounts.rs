//! Accounts and the tokens that are mailed to them.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::accounts::{Email, Name, Role};
use crate::domain::money::Currency;
use crate::domain::secrets::Digest;

/// An account, as its owner and sign-in see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its address, as typed.
    pub email: String,
    /// What its owner is called.
    pub name: String,
    /// A PHC string.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// Its wallet.
    pub wallet_id: Uuid,
    /// When its address was verified.
    pub email_verified_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its wallet's id.
    pub wallet_id: Uuid,
    /// Its address.
    pub email: &'a Email,
    /// What its owner is called.
    pub name: &'a Name,
    /// A PHC string.
    pub password_hash: &'a str,
}

/// Makes an account; false when its address has one.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut PgConnection, account: &NewAccount<'_>) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, wallet_id)
         values ($1, $2, $3, $4, $5, $6) on conflict (email_key) do nothing",
    )
    .bind(account.id)
    .bind(account.email.as_str())
    .bind(account.email.key())
    .bind(account.name.as_str())
    .bind(account.password_hash)
    .bind(account.wallet_id)
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Gives a new account its empty wallet.
///
/// # Errors
/// The database's.
pub async fn insert_wallet(
    tx: &mut PgConnection,
    account: &NewAccount<'_>,
    currency: Currency,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into wallets (id, user_id, currency) values ($1, $2, $3)")
        .bind(account.wallet_id)
        .bind(account.id)
        .bind(currency.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

/// The account with an address.
///
/// # Errors
/// The database's.
pub async fn by_email(pool: &PgPool, email: &Email) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "select id, email, name, password_hash, role, wallet_id, email_verified_at, created_at
         from users where email_key = $1 and deleted_at is null",
    )
    .bind(email.key())
    .fetch_optional(pool)
    .await
}

/// The account with an id.
///
/// # Errors
/// The database's.
pub async fn by_id(pool: &PgPool, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "select id, email, name, password_hash, role, wallet_id, email_verified_at, created_at
         from users where id = $1 and deleted_at is null",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
}

/// Whether an account is there and was not closed.
///
/// # Errors
/// The database's.
pub async fn is_open(tx: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from users where id = $1 and deleted_at is null)")
        .bind(id)
        .fetch_one(tx)
        .await
}

/// Whose an address is.
///
/// # Errors
/// The database's.
pub async fn owner_of(tx: &mut PgConnection, email: &Email) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select id from users where email_key = $1 and deleted_at is null")
        .bind(email.key())
        .fetch_optional(tx)
        .await
}

/// Whose an address is, if it still has to be verified.
///
/// # Errors
/// The database's.
pub async fn unverified_owner_of(
    tx: &mut PgConnection,
    email: &Email,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from users
         where email_key = $1 and email_verified_at is null and deleted_at is null",
    )
    .bind(email.key())
    .fetch_optional(tx)
    .await
}

/// Gives an account's owner another name.
///
/// # Errors
/// The database's.
pub async fn rename(
    tx: &mut PgConnection,
    id: Uuid,
    name: &Name,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "update users set name = $2, updated_at = now() where id = $1 and deleted_at is null
         returning id, email, name, password_hash, role, wallet_id, email_verified_at, created_at",
    )
    .bind(id)
    .bind(name.as_str())
    .fetch_optional(tx)
    .await
}

/// Records that an account's address is its owner's.
///
/// # Errors
/// The database's.
pub async fn verify_email(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update users set email_verified_at = coalesce(email_verified_at, now()), updated_at = now()
         where id = $1",
    )
    .bind(id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps the digest of a verification token for 24 hours.
///
/// # Errors
/// The database's.
pub async fn add_verification(
    tx: &mut PgConnection,
    user: Uuid,
    token: &Digest,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into mail_tokens (token_hash, user_id, purpose, expires_at)
         values ($1, $2, 'verify_email', now() + interval '24 hours')",
    )
    .bind(token.as_bytes().as_slice())
    .bind(user)
    .execute(tx)
    .await?;
    Ok(())
}

/// Uses a verification token up; whose it was, unless it is unknown, used or too old.
///
/// # Errors
/// The database's.
pub async fn use_verification(
    tx: &mut PgConnection,
    token: &Digest,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "update mail_tokens set used_at = now()
         where token_hash = $1 and purpose = 'verify_email' and used_at is null and expires_at > now()
         returning user_id",
    )
    .bind(token.as_bytes().as_slice())
    .fetch_optional(tx)
    .await
}

/// Whom a mail about an account goes to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Recipient {
    /// The address, as typed.
    pub email: String,
    /// What the owner is called.
    pub name: String,
}

/// Whom a mail about an account goes to, unless it was erased.
///
/// # Errors
/// The database's.
pub async fn recipient(tx: &mut PgConnection, id: Uuid) -> Result<Option<Recipient>, sqlx::Error> {
    sqlx::query_as("select email, name from users where id = $1 and deleted_at is null")
        .bind(id)
        .fetch_optional(tx)
        .await
}
