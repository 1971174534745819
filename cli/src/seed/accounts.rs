//! The people of the sample shop. No route makes an admin, so they are written
//! to the database as registration would write them.

use anyhow::{Context, Result, anyhow};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use shared::domain::ids::new_id;
use shared::domain::sealed::SealKey;
use shared::domain::totp::TotpSecret;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Target;
use crate::steps::accounts::Account;

/// What the customer finds in the wallet: 250.00.
const CREDIT_MINOR: i64 = 25_000;
const CURRENCY: &str = "EUR";
/// A wallet takes an entry of one reference once.
const CREDIT_REFERENCE: &str = "sample-credit";

/// Makes the accounts that are missing and answers how many these were. A
/// password that no longer fits is set again.
pub(super) async fn ensure(target: &Target) -> Result<u64> {
    let people = [
        (&target.admin, "admin", "Sample Admin"),
        (&target.seller, "seller", "Sample Seller"),
        (&target.customer, "customer", "Sample Customer"),
    ];
    let mut tx = target.database.begin().await?;
    let mut made = 0;
    for (account, role, name) in people {
        made += u64::from(insert(&mut tx, account, role, name).await?);
        renew_password(&mut tx, account, role).await?;
    }
    renew_second_factor(&mut tx, &target.admin, &target.seal_key).await?;
    credit(&mut tx, &target.customer).await?;
    tx.commit().await?;
    Ok(made)
}

async fn insert(tx: &mut PgConnection, account: &Account, role: &str, name: &str) -> Result<bool> {
    let (user_id, wallet_id) = (new_id(), new_id());
    // The hash is not one of any password: `renew_password` sets the true one.
    let inserted = sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, role, wallet_id, email_verified_at)
         values ($1, $2, lower($2), $3, '', $4, $5, now())
         on conflict on constraint users_email_key_unique do nothing",
    )
    .bind(user_id)
    .bind(&account.email)
    .bind(name)
    .bind(role)
    .bind(wallet_id)
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("insert into wallets (id, user_id, currency) values ($1, $2, $3)")
        .bind(wallet_id)
        .bind(user_id)
        .bind(CURRENCY)
        .execute(&mut *tx)
        .await?;
    Ok(true)
}

async fn renew_password(tx: &mut PgConnection, account: &Account, role: &str) -> Result<()> {
    let (id, hash, has_role): (Uuid, String, bool) = sqlx::query_as(
        "select id, password_hash, role = $2 from users where email_key = lower($1) for update",
    )
    .bind(&account.email)
    .bind(role)
    .fetch_one(&mut *tx)
    .await?;
    if has_role && fits(&account.password, &hash) {
        return Ok(());
    }
    let hash = Argon2::default()
        .hash_password(account.password.as_bytes())
        .map_err(|error| anyhow!("the password cannot be hashed: {error}"))?
        .to_string();
    sqlx::query("update users set password_hash = $2, role = $3, updated_at = now() where id = $1")
        .bind(id)
        .bind(hash)
        .bind(role)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Enrols somebody with the second factor that the stack has chosen for them.
async fn renew_second_factor(
    tx: &mut PgConnection,
    account: &Account,
    key: &SealKey,
) -> Result<()> {
    let secret = account
        .totp_secret
        .as_deref()
        .and_then(TotpSecret::from_text);
    let secret = secret.context("the admin has no second factor")?;
    let (id, sealed): (Uuid, Option<Vec<u8>>) = sqlx::query_as(
        "select u.id, t.secret from users u
         left join totp_enrolments t on t.user_id = u.id and t.confirmed_at is not null
         where u.email_key = lower($1)",
    )
    .bind(&account.email)
    .fetch_one(&mut *tx)
    .await?;
    let opened = sealed.and_then(|sealed| key.open(&sealed, id).ok());
    if opened.is_some_and(|opened| opened == secret.as_bytes()) {
        return Ok(());
    }
    sqlx::query("delete from totp_enrolments where user_id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into totp_enrolments (id, user_id, secret, confirmed_at) values ($1, $2, $3, now())",
    )
    .bind(new_id())
    .bind(id)
    .bind(key.seal(secret.as_bytes(), id)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

async fn credit(tx: &mut PgConnection, customer: &Account) -> Result<()> {
    let wallet_id: Uuid = sqlx::query_scalar(
        "select wallets.id from wallets join users on users.id = wallets.user_id
         where users.email_key = lower($1) for update of wallets",
    )
    .bind(&customer.email)
    .fetch_one(&mut *tx)
    .await?;
    let entered = sqlx::query(
        "insert into wallet_entries
             (id, wallet_id, sequence, kind, amount_minor, balance_after_minor, reference, reason)
         select $1, id, entries + 1, 'credit', $3, balance_minor + $3, $4, 'Credit to try the shop with'
         from wallets where id = $2
         on conflict on constraint wallet_entries_reference_unique do nothing",
    )
    .bind(new_id())
    .bind(wallet_id)
    .bind(CREDIT_MINOR)
    .bind(CREDIT_REFERENCE)
    .execute(&mut *tx)
    .await?;
    if entered.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(
        "update wallets set balance_minor = balance_minor + $2, entries = entries + 1 where id = $1",
    )
    .bind(wallet_id)
    .bind(CREDIT_MINOR)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
