//! Shipping and tax rates by country, which an admin changes.

use std::collections::BTreeSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::address::Country;
use shared::domain::audit::Action;
use shared::domain::events::{Event, RATES};
use shared::domain::money::{Currency, Money};
use shared::events;
use shared::http::{Admin, ApiError, Json, Problem};
use shared::store::audit::{self, Entry};
use shared::store::database::{self, Tx};
use shared::store::outbox;
use shared::store::rates::{self, ShippingRow, TaxRow};
use uuid::Uuid;

use crate::AppState;

/// Stands for every country without a rate of its own.
const EVERYWHERE: &str = "**";

/// A shipping rate.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShippingRateBody {
    /// An ISO 3166-1 alpha-2 code, or `**` for every country without a rate of its own.
    #[schema(example = "DE")]
    country: String,
    /// Per order.
    amount: Money,
    /// Orders from this subtotal on ship free.
    #[serde(default)]
    free_from: Option<Money>,
}

/// A tax rate.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaxRateBody {
    /// An ISO 3166-1 alpha-2 code, or `**` for every country without a rate of its own.
    #[schema(example = "DE")]
    country: String,
    /// Parts per million: 190000 is 19 %.
    #[schema(example = 190_000, minimum = 0, maximum = 1_000_000)]
    rate_ppm: i32,
    /// Whether prices hold the tax already.
    #[schema(example = true)]
    included: bool,
}

/// The whole table.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table<T> {
    items: Vec<T>,
}

/// Shows the shipping rates.
#[utoipa::path(
    get, path = "/admin/shipping-rates", tag = "rates", security(("bearer" = [])),
    responses((status = 200, description = "The table", body = Table<ShippingRateBody>), (status = 403, body = Problem, content_type = "application/problem+json", description = "Not an admin"))
)]
pub(crate) async fn get_shipping_rates(
    State(state): State<AppState>,
    _: Admin,
) -> Result<Json<Table<ShippingRateBody>>, ApiError> {
    let rows = state
        .database
        .read_own(|pool| async move { rates::all_shipping(&pool).await })
        .await?;
    let currency = state.currency;
    let body = |row: ShippingRow| ShippingRateBody {
        country: row.country,
        amount: Money::new(row.amount_minor, currency),
        free_from: row.free_from_minor.map(|minor| Money::new(minor, currency)),
    };
    Ok(Json(Table {
        items: rows.into_iter().map(body).collect(),
    }))
}

/// Replaces the shipping rates.
#[utoipa::path(
    put, path = "/admin/shipping-rates", tag = "rates", security(("bearer" = [])), request_body = Table<ShippingRateBody>,
    responses((status = 200, description = "The table", body = Table<ShippingRateBody>), (status = 422, body = Problem, content_type = "application/problem+json", description = "Not valid"))
)]
pub(crate) async fn put_shipping_rates(
    State(state): State<AppState>,
    Admin(admin): Admin,
    Json(table): Json<Table<ShippingRateBody>>,
) -> Result<Json<Table<ShippingRateBody>>, ApiError> {
    check_countries(table.items.iter().map(|rate| rate.country.as_str()))?;
    for (index, rate) in table.items.iter().enumerate() {
        check_amount(
            &format!("/items/{index}/amount"),
            rate.amount,
            state.currency,
        )?;
        if let Some(free_from) = rate.free_from {
            check_amount(
                &format!("/items/{index}/free_from"),
                free_from,
                state.currency,
            )?;
        }
    }
    let row = |rate: &ShippingRateBody| ShippingRow {
        country: rate.country.clone(),
        amount_minor: rate.amount.minor(),
        free_from_minor: rate.free_from.map(Money::minor),
    };
    let rows: Vec<_> = table.items.iter().map(row).collect();
    let mut tx = state.database.begin().await?;
    rates::replace_shipping(&mut tx, &rows).await?;
    audit::record(&mut tx, &replaced(admin.id(), "shipping-rates", &table)).await?;
    commit_change(&state, tx).await?;
    Ok(Json(table))
}

/// Shows the tax rates.
#[utoipa::path(
    get, path = "/admin/tax-rates", tag = "rates", security(("bearer" = [])),
    responses((status = 200, description = "The table", body = Table<TaxRateBody>), (status = 403, body = Problem, content_type = "application/problem+json", description = "Not an admin"))
)]
pub(crate) async fn get_tax_rates(
    State(state): State<AppState>,
    _: Admin,
) -> Result<Json<Table<TaxRateBody>>, ApiError> {
    let rows = state
        .database
        .read_own(|pool| async move { rates::all_tax(&pool).await })
        .await?;
    let body = |row: TaxRow| TaxRateBody {
        country: row.country,
        rate_ppm: row.rate_ppm,
        included: row.included,
    };
    Ok(Json(Table {
        items: rows.into_iter().map(body).collect(),
    }))
}

/// Replaces the tax rates.
#[utoipa::path(
    put, path = "/admin/tax-rates", tag = "rates", security(("bearer" = [])), request_body = Table<TaxRateBody>,
    responses((status = 200, description = "The table", body = Table<TaxRateBody>), (status = 422, body = Problem, content_type = "application/problem+json", description = "Not valid"))
)]
pub(crate) async fn put_tax_rates(
    State(state): State<AppState>,
    Admin(admin): Admin,
    Json(table): Json<Table<TaxRateBody>>,
) -> Result<Json<Table<TaxRateBody>>, ApiError> {
    check_countries(table.items.iter().map(|rate| rate.country.as_str()))?;
    for (index, rate) in table.items.iter().enumerate() {
        if !(0..=1_000_000).contains(&rate.rate_ppm) {
            return Err(ApiError::invalid(
                format!("/items/{index}/rate_ppm"),
                "must be from 0 to 1000000",
            ));
        }
    }
    let row = |rate: &TaxRateBody| TaxRow {
        country: rate.country.clone(),
        rate_ppm: rate.rate_ppm,
        included: rate.included,
    };
    let rows: Vec<_> = table.items.iter().map(row).collect();
    let mut tx = state.database.begin().await?;
    rates::replace_tax(&mut tx, &rows).await?;
    audit::record(&mut tx, &replaced(admin.id(), "tax-rates", &table)).await?;
    commit_change(&state, tx).await?;
    Ok(Json(table))
}

/// Commits a change of the rates, and tells who keeps them.
async fn commit_change(state: &AppState, mut tx: Tx) -> Result<(), ApiError> {
    outbox::add(&mut tx, RATES, &Event::RatesChanged).await?;
    database::commit(tx).await?;
    events::publish(state, RATES).await;
    Ok(())
}

fn replaced<T: Serialize>(actor: Uuid, subject: &'static str, table: &Table<T>) -> Entry<'static> {
    Entry {
        actor,
        action: Action::RatesReplace,
        subject,
        detail: json!(table),
    }
}

/// Every country once, and one rate for the rest, so that no order is without a rate.
fn check_countries<'a>(countries: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for (index, country) in countries.enumerate() {
        let pointer = format!("/items/{index}/country");
        if country != EVERYWHERE {
            Country::try_from(country)
                .map_err(|error| ApiError::invalid(&pointer, error.to_string()))?;
        }
        if !seen.insert(country) {
            return Err(ApiError::invalid(pointer, "is given twice"));
        }
    }
    if seen.contains(EVERYWHERE) {
        Ok(())
    } else {
        Err(ApiError::invalid("/items", "must hold a rate for **"))
    }
}

fn check_amount(pointer: &str, amount: Money, currency: Currency) -> Result<(), ApiError> {
    if amount.currency() != currency {
        return Err(ApiError::invalid(
            format!("{pointer}/currency"),
            format!("must be {currency}"),
        ));
    }
    if !(0..=999_999_999).contains(&amount.minor()) {
        return Err(ApiError::invalid(
            format!("{pointer}/amount"),
            "must be from 0 to 999999999",
        ));
    }
    Ok(())
}
