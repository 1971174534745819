//! How many of a variant are on hand, and how many of these are reserved.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{ChangeError, OnConstraint, StoreError};
use crate::domain::catalogue::{CatalogueError, Reason, Sku, Status};

/// The stock of one variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Stock {
    /// In the warehouse.
    pub on_hand: i32,
    /// Of these, promised to orders.
    pub reserved: i32,
}

/// Whose stock it is.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub struct StockOwner {
    /// Who sells the product.
    pub seller_id: Uuid,
    /// Where the product stands.
    pub status: Status,
}

/// A change of what is on hand.
#[derive(Debug, Clone, Copy)]
pub struct Adjustment<'a> {
    /// The variant.
    pub sku: &'a Sku,
    /// How many more or fewer.
    pub delta: i32,
    /// Why.
    pub reason: &'a Reason,
    /// Who says so.
    pub actor: Uuid,
}

/// Opens an account of nothing for every SKU that has none.
pub(super) async fn open(tx: &mut PgConnection, skus: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query("insert into stock (sku) select unnest($1::text[]) on conflict do nothing")
        .bind(skus)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whose stock a product's variant is; `None` when the product has no such variant.
///
/// # Errors
/// The database's.
pub async fn owner(
    tx: &mut PgConnection,
    product: Uuid,
    sku: &Sku,
) -> Result<Option<StockOwner>, sqlx::Error> {
    sqlx::query_as(
        "select p.seller_id, p.status from products p join variants v on v.product_id = p.id
         where p.id = $1 and v.sku = $2 and v.removed_at is null",
    )
    .bind(product)
    .bind(sku.as_str())
    .fetch_optional(tx)
    .await
}

/// Changes what is on hand and records who did and why.
///
/// # Errors
/// Less would be on hand than is reserved, or too much; the database's.
pub async fn adjust(
    tx: &mut PgConnection,
    adjustment: Adjustment<'_>,
) -> Result<Stock, ChangeError<CatalogueError>> {
    let stock = add(tx, adjustment.sku, adjustment.delta).await?;
    record(tx, adjustment).await?;
    Ok(stock)
}

async fn add(
    tx: &mut PgConnection,
    sku: &Sku,
    delta: i32,
) -> Result<Stock, ChangeError<CatalogueError>> {
    let result = sqlx::query_as(
        "update stock set on_hand = on_hand + $2 where sku = $1 returning on_hand, reserved",
    )
    .bind(sku.as_str())
    .bind(delta)
    .fetch_one(tx)
    .await;
    match result.on_constraint("stock_available_not_negative", || {
        ChangeError::Refused(CatalogueError::StockBelowReserved)
    }) {
        Err(ChangeError::Store(StoreError::Constraint(name, _)))
            if name == "stock_on_hand_in_range" =>
        {
            Err(ChangeError::Refused(CatalogueError::StockTooLarge))
        }
        result => result,
    }
}

async fn record(tx: &mut PgConnection, adjustment: Adjustment<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into stock_adjustments (id, sku, delta, reason, actor_id) values ($1, $2, $3, $4, $5)",
    )
    .bind(Uuid::now_v7())
    .bind(adjustment.sku.as_str())
    .bind(adjustment.delta)
    .bind(adjustment.reason.as_str())
    .bind(adjustment.actor)
    .execute(tx)
    .await?;
    Ok(())
}
