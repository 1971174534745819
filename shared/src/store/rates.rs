//! Shipping and tax rates by country. `**` stands for every country without a row.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};

use crate::domain::pricing::{Rates, ShippingRate, TaxRate};

/// A shipping rate as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Serialize, Deserialize)]
pub struct ShippingRow {
    /// The country's code, or `**`.
    pub country: String,
    /// Minor units per order.
    pub amount_minor: i64,
    /// Orders from this subtotal on ship free.
    pub free_from_minor: Option<i64>,
}

/// A tax rate as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Serialize, Deserialize)]
pub struct TaxRow {
    /// The country's code, or `**`.
    pub country: String,
    /// Parts per million.
    pub rate_ppm: i32,
    /// Whether prices hold the tax already.
    pub included: bool,
}

#[derive(sqlx::FromRow)]
struct RatesRow {
    amount_minor: i64,
    free_from_minor: Option<i64>,
    rate_ppm: i32,
    included: bool,
}

/// The rates of one country; `None` while a table is empty.
///
/// # Errors
/// The database's.
pub async fn of_country(
    executor: impl PgExecutor<'_>,
    country: &str,
) -> Result<Option<Rates>, sqlx::Error> {
    let row: Option<RatesRow> = sqlx::query_as(
        "select s.amount_minor, s.free_from_minor, t.rate_ppm, t.included
         from (select * from shipping_rates where country in ($1, '**') order by country = '**' limit 1) s,
             (select * from tax_rates where country in ($1, '**') order by country = '**' limit 1) t",
    )
    .bind(country)
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| Rates {
        shipping: ShippingRate {
            amount_minor: row.amount_minor,
            free_from_minor: row.free_from_minor,
        },
        tax: TaxRate {
            rate_ppm: row.rate_ppm,
            included: row.included,
        },
    }))
}

/// Every shipping rate.
///
/// # Errors
/// The database's.
pub async fn all_shipping(executor: impl PgExecutor<'_>) -> Result<Vec<ShippingRow>, sqlx::Error> {
    sqlx::query_as(
        "select country, amount_minor, free_from_minor from shipping_rates order by country",
    )
    .fetch_all(executor)
    .await
}

/// Every tax rate.
///
/// # Errors
/// The database's.
pub async fn all_tax(executor: impl PgExecutor<'_>) -> Result<Vec<TaxRow>, sqlx::Error> {
    sqlx::query_as("select country, rate_ppm, included from tax_rates order by country")
        .fetch_all(executor)
        .await
}

/// Replaces every shipping rate.
///
/// # Errors
/// The database's.
pub async fn replace_shipping(
    tx: &mut PgConnection,
    rows: &[ShippingRow],
) -> Result<(), sqlx::Error> {
    let countries: Vec<_> = rows.iter().map(|row| row.country.as_str()).collect();
    let amounts: Vec<_> = rows.iter().map(|row| row.amount_minor).collect();
    let free_from: Vec<_> = rows.iter().map(|row| row.free_from_minor).collect();
    sqlx::query("delete from shipping_rates")
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into shipping_rates (country, amount_minor, free_from_minor)
         select * from unnest($1::text[], $2::bigint[], $3::bigint[])",
    )
    .bind(countries)
    .bind(amounts)
    .bind(free_from)
    .execute(tx)
    .await?;
    Ok(())
}

/// Replaces every tax rate.
///
/// # Errors
/// The database's.
pub async fn replace_tax(tx: &mut PgConnection, rows: &[TaxRow]) -> Result<(), sqlx::Error> {
    let countries: Vec<_> = rows.iter().map(|row| row.country.as_str()).collect();
    let rates: Vec<_> = rows.iter().map(|row| row.rate_ppm).collect();
    let included: Vec<_> = rows.iter().map(|row| row.included).collect();
    sqlx::query("delete from tax_rates")
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into tax_rates (country, rate_ppm, included)
         select * from unnest($1::text[], $2::int[], $3::bool[])",
    )
    .bind(countries)
    .bind(rates)
    .bind(included)
    .execute(tx)
    .await?;
    Ok(())
}
