//! Accounts.

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::accounts::{Email, Name, Role};
use crate::domain::money::Currency;

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
    /// Counted up whenever its sessions end.
    pub session_epoch: i32,
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
        "select id, email, name, password_hash, role, wallet_id, email_verified_at, session_epoch, created_at
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
pub async fn by_id(
    executor: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as(
        "select id, email, name, password_hash, role, wallet_id, email_verified_at, session_epoch, created_at
         from users where id = $1 and deleted_at is null",
    )
    .bind(id)
    .fetch_optional(executor)
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
         returning id, email, name, password_hash, role, wallet_id, email_verified_at, session_epoch, created_at",
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

/// Gives an account another password, and ends its sessions. With `instead_of`,
/// only while that is its hash; false when it is not, or the account was closed.
///
/// # Errors
/// The database's.
pub async fn set_password(
    tx: &mut PgConnection,
    id: Uuid,
    hash: &str,
    instead_of: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "update users set password_hash = $2, session_epoch = session_epoch + 1, updated_at = now()
         where id = $1 and deleted_at is null and password_hash = coalesce($3, password_hash)",
    )
    .bind(id)
    .bind(hash)
    .bind(instead_of)
    .execute(tx)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Keeps another hash of the same password, unless that was changed meanwhile.
///
/// # Errors
/// The database's.
pub async fn renew_hash(
    tx: &mut PgConnection,
    account: &Account,
    hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("update users set password_hash = $2 where id = $1 and password_hash = $3")
        .bind(account.id)
        .bind(hash)
        .bind(&account.password_hash)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends the sessions that an account has, at their next refresh at the latest.
///
/// # Errors
/// The database's.
pub async fn end_sessions(tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update users set session_epoch = session_epoch + 1 where id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Locks every admin's account, in one order: who is the last one is decided under this lock.
///
/// # Errors
/// The database's.
pub async fn lock_admins(tx: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from users where role = 'admin' and deleted_at is null
         order by id for no key update",
    )
    .fetch_all(tx)
    .await
}

/// What an account may do, under its lock.
///
/// # Errors
/// The database's.
pub async fn lock_role(tx: &mut PgConnection, id: Uuid) -> Result<Option<Role>, sqlx::Error> {
    sqlx::query_scalar(
        "select role from users where id = $1 and deleted_at is null for no key update",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
}

/// Lets an account do something else, and ends its sessions.
///
/// # Errors
/// The database's.
pub async fn set_role(tx: &mut PgConnection, id: Uuid, role: Role) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update users set role = $2, session_epoch = session_epoch + 1, updated_at = now() where id = $1",
    )
    .bind(id)
    .bind(role)
    .execute(tx)
    .await?;
    Ok(())
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
