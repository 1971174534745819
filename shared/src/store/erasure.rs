//! What is left of closed accounts: their ledger, and nothing about a person.

use sqlx::PgConnection;
use uuid::Uuid;

/// Empties an account and gives its address free; false when it was closed before.
///
/// # Errors
/// The database's.
pub async fn close_account(tx: &mut PgConnection, user: Uuid) -> Result<bool, sqlx::Error> {
    let closed = sqlx::query(
        "update users set email = '', email_key = 'erased:' || id, name = '', password_hash = '',
             email_verified_at = null, session_epoch = session_epoch + 1, deleted_at = now(), updated_at = now()
         where id = $1 and deleted_at is null",
    )
    .bind(user)
    .execute(tx)
    .await?;
    Ok(closed.rows_affected() == 1)
}

/// Asks the sweeper to look after what cannot be erased yet.
///
/// # Errors
/// The database's.
pub async fn request(tx: &mut PgConnection, user: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("insert into erasures (user_id) values ($1)")
        .bind(user)
        .execute(tx)
        .await?;
    Ok(())
}

/// Erases where the account's orders went, except for the country, which their tax
/// depends on. Those that may still be sent keep it: until they come to an end, or
/// for 30 days after they were handed to the carrier.
///
/// # Errors
/// The database's.
pub async fn erase_addresses(tx: &mut PgConnection, user: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update orders set shipping_address = jsonb_build_object('name', '', 'line1', '', 'city', '',
             'postal_code', '', 'country', shipping_address -> 'country')
         where customer_id = $1 and shipping_address ->> 'line1' <> ''
             and (status in ('payment_failed', 'cancelled', 'rejected', 'refunded', 'delivered')
                 or status = 'fulfilled' and updated_at < now() - interval '30 days')",
    )
    .bind(user)
    .execute(tx)
    .await?;
    Ok(())
}

/// Erases the answers that were kept for the account's repeated requests. The keys
/// stay, so that no request has its effect again.
///
/// # Errors
/// The database's.
pub async fn erase_answers(tx: &mut PgConnection, user: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update idempotency_keys set body = '' where caller_id = $1 and body <> ''")
        .bind(user)
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets the account's cards.
///
/// # Errors
/// The database's.
pub async fn forget_cards(tx: &mut PgConnection, user: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("delete from payment_methods where user_id = $1")
        .bind(user)
        .execute(tx)
        .await?;
    Ok(())
}

/// Closed accounts to look at, those that have waited longest first.
///
/// # Errors
/// The database's.
pub async fn due(tx: &mut PgConnection, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select user_id from erasures where due_at <= now() order by due_at limit $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// The provider's customer of a closed account that no payment needs any more.
///
/// # Errors
/// The database's.
pub async fn provider_customer_to_delete(
    tx: &mut PgConnection,
    user: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select provider_customer_id from users
         where id = $1 and deleted_at is not null and provider_customer_id is not null and not exists (
             select from orders o join payment_attempts a on a.order_id = o.id
             where o.customer_id = users.id
                 and a.state in ('pending', 'started', 'requires_action', 'unknown'))",
    )
    .bind(user)
    .fetch_optional(tx)
    .await
}

/// Forgets a closed account's customer at the provider, who is there no more.
///
/// # Errors
/// The database's.
pub async fn forget_provider_customer(
    tx: &mut PgConnection,
    user: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update users set provider_customer_id = null where id = $1 and deleted_at is not null",
    )
    .bind(user)
    .execute(tx)
    .await?;
    Ok(())
}

/// Looks at an account no more once nothing is left. Not within the first week: what
/// was under way when it was closed may have been stored since.
///
/// # Errors
/// The database's.
pub async fn finish(tx: &mut PgConnection, user: Uuid) -> Result<bool, sqlx::Error> {
    let finished = sqlx::query(
        "delete from erasures e using users u
         where e.user_id = $1 and u.id = e.user_id and u.provider_customer_id is null
             and e.requested_at < now() - interval '7 days'
             and not exists (select from orders where customer_id = $1 and shipping_address ->> 'line1' <> '')",
    )
    .bind(user)
    .execute(tx)
    .await?;
    Ok(finished.rows_affected() == 1)
}

/// Looks at an account again in an hour.
///
/// # Errors
/// The database's.
pub async fn postpone(tx: &mut PgConnection, user: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("update erasures set due_at = now() + interval '1 hour' where user_id = $1")
        .bind(user)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether somebody has products that are on sale or about to be.
///
/// # Errors
/// The database's.
pub async fn is_selling(tx: &mut PgConnection, user: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from products where seller_id = $1 and status <> 'archived')",
    )
    .bind(user)
    .fetch_one(tx)
    .await
}
