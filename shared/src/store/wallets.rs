//! Wallets: an append-only ledger, with its balance held by a constraint.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids;

/// A wallet.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Wallet {
    /// Its id, as access tokens carry it.
    pub id: Uuid,
    /// The shop's currency.
    pub currency: String,
    /// Minor units; never negative.
    pub balance_minor: i64,
}

/// What an entry is for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
    sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum EntryKind {
    /// Given by the shop.
    Credit,
    /// An order was paid.
    Payment,
    /// An order was paid back.
    Refund,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// Its place, from 1.
    pub sequence: i64,
    /// What it is for.
    pub kind: EntryKind,
    /// Minor units; negative for a payment.
    pub amount_minor: i64,
    /// The balance after it.
    pub balance_after_minor: i64,
    /// The order, for a payment or a refund.
    pub order_id: Option<Uuid>,
    /// Why, for a credit.
    pub reason: String,
    /// When.
    pub created_at: OffsetDateTime,
}

/// An entry to be made.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// Whose wallet.
    pub user_id: Uuid,
    /// What it is for.
    pub kind: EntryKind,
    /// Minor units; negative for a payment.
    pub amount_minor: i64,
    /// The order, for a payment or a refund.
    pub order_id: Option<Uuid>,
    /// Makes the entry unrepeatable.
    pub reference: &'a str,
    /// Why, for a credit.
    pub reason: &'a str,
    /// Who made it.
    pub created_by: Uuid,
}

/// What adding an entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The balance after it.
    Balance(i64),
    /// The wallet holds too little.
    Insufficient,
    /// There is no such wallet.
    NoWallet,
}

/// Adds an entry and moves the balance. An entry with a known reference changes nothing.
///
/// # Errors
/// The database's.
pub async fn add_entry(tx: &mut PgConnection, new: &NewEntry<'_>) -> Result<Added, sqlx::Error> {
    let Some(wallet) = lock(tx, new.user_id).await? else {
        return Ok(Added::NoWallet);
    };
    let repeated: Option<i64> = sqlx::query_scalar(
        "select balance_after_minor from wallet_entries where wallet_id = $1 and reference = $2",
    )
    .bind(wallet.id)
    .bind(new.reference)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(balance) = repeated {
        return Ok(Added::Balance(balance));
    }
    let moved: Option<(i64, i64)> = sqlx::query_as(
        "update wallets set balance_minor = balance_minor + $2, entries = entries + 1
         where id = $1 and balance_minor + $2 >= 0 returning balance_minor, entries",
    )
    .bind(wallet.id)
    .bind(new.amount_minor)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((balance, sequence)) = moved else {
        return Ok(Added::Insufficient);
    };
    sqlx::query(
        "insert into wallet_entries (id, wallet_id, sequence, kind, amount_minor, balance_after_minor, order_id,
             reference, reason, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(ids::new_id())
    .bind(wallet.id)
    .bind(sequence)
    .bind(new.kind)
    .bind(new.amount_minor)
    .bind(balance)
    .bind(new.order_id)
    .bind(new.reference)
    .bind(new.reason)
    .bind(new.created_by)
    .execute(tx)
    .await?;
    Ok(Added::Balance(balance))
}

async fn lock(tx: &mut PgConnection, user_id: Uuid) -> Result<Option<Wallet>, sqlx::Error> {
    sqlx::query_as("select id, currency, balance_minor from wallets where user_id = $1 for update")
        .bind(user_id)
        .fetch_optional(tx)
        .await
}

/// Somebody's wallet.
///
/// # Errors
/// The database's.
pub async fn load(pool: &PgPool, user_id: Uuid) -> Result<Option<Wallet>, sqlx::Error> {
    sqlx::query_as("select id, currency, balance_minor from wallets where user_id = $1")
        .bind(user_id)
        .fetch_optional(pool)
        .await
}

/// A page of a wallet's entries, the newest first: `limit` and one more if there is one.
///
/// # Errors
/// The database's.
pub async fn entries(
    pool: &PgPool,
    wallet_id: Uuid,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as(
        "select id, sequence, kind, amount_minor, balance_after_minor, order_id, reason, created_at
         from wallet_entries where wallet_id = $1 and ($2::bigint is null or sequence < $2)
         order by sequence desc limit $3",
    )
    .bind(wallet_id)
    .bind(before)
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}
