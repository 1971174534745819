//! Saved cards: what the provider calls them, never a number.

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// A saved card.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PaymentMethod {
    /// Our id.
    pub id: Uuid,
    /// The provider's id.
    pub provider_method_id: String,
    /// Such as `visa`.
    pub brand: String,
    /// The last digits.
    pub last4: String,
    /// 1 to 12.
    pub exp_month: i16,
    /// Four digits.
    pub exp_year: i16,
    /// When it was saved.
    pub created_at: OffsetDateTime,
}

/// Saves a card; the one that is there when it was saved before.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut PgConnection,
    user_id: Uuid,
    method: &PaymentMethod,
) -> Result<PaymentMethod, sqlx::Error> {
    sqlx::query(
        "insert into payment_methods (id, user_id, provider_method_id, brand, last4, exp_month, exp_year)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (provider_method_id) do nothing",
    )
    .bind(method.id)
    .bind(user_id)
    .bind(&method.provider_method_id)
    .bind(&method.brand)
    .bind(&method.last4)
    .bind(method.exp_month)
    .bind(method.exp_year)
    .execute(&mut *tx)
    .await?;
    sqlx::query_as(
        "select id, provider_method_id, brand, last4, exp_month, exp_year, created_at
         from payment_methods where provider_method_id = $1 and user_id = $2",
    )
    .bind(&method.provider_method_id)
    .bind(user_id)
    .fetch_one(tx)
    .await
}

/// Somebody's cards, the newest first: `limit` and one more if there is one.
///
/// # Errors
/// The database's.
pub async fn list(
    pool: &PgPool,
    user_id: Uuid,
    before: Option<Uuid>,
    limit: usize,
) -> Result<Vec<PaymentMethod>, sqlx::Error> {
    sqlx::query_as(
        "select id, provider_method_id, brand, last4, exp_month, exp_year, created_at
         from payment_methods where user_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",
    )
    .bind(user_id)
    .bind(before)
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
}

/// One of somebody's cards.
///
/// # Errors
/// The database's.
pub async fn find(
    executor: impl PgExecutor<'_>,
    user_id: Uuid,
    id: Uuid,
) -> Result<Option<PaymentMethod>, sqlx::Error> {
    sqlx::query_as(
        "select id, provider_method_id, brand, last4, exp_month, exp_year, created_at
         from payment_methods where user_id = $1 and id = $2",
    )
    .bind(user_id)
    .bind(id)
    .fetch_optional(executor)
    .await
}

/// Forgets a card; false when it is not there.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut PgConnection, user_id: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query("delete from payment_methods where user_id = $1 and id = $2")
        .bind(user_id)
        .bind(id)
        .execute(tx)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

/// Somebody's id and address at the provider.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProviderCustomer {
    /// The provider's id, once there is one.
    pub provider_customer_id: Option<String>,
    /// Where mail goes.
    pub email: String,
}

/// Somebody's id at the provider.
///
/// # Errors
/// The database's.
pub async fn provider_customer(
    pool: &PgPool,
    user_id: Uuid,
) -> Result<ProviderCustomer, sqlx::Error> {
    sqlx::query_as("select provider_customer_id, email from users where id = $1")
        .bind(user_id)
        .fetch_one(pool)
        .await
}

/// Keeps somebody's id at the provider.
///
/// # Errors
/// The database's.
pub async fn set_provider_customer(
    tx: &mut PgConnection,
    user_id: Uuid,
    provider_customer_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update users set provider_customer_id = $2 where id = $1 and provider_customer_id is null",
    )
    .bind(user_id)
    .bind(provider_customer_id)
    .execute(tx)
    .await?;
    Ok(())
}
