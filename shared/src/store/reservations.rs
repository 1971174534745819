//! What is for sale, and the stock that orders hold.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::domain::pricing::PricedLine;

/// A variant as it is sold at this moment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Serialize, Deserialize)]
pub struct Offer {
    /// The variant.
    pub sku: String,
    /// Its product.
    pub product_id: Uuid,
    /// Who sells it.
    pub seller_id: Uuid,
    /// Product and variant.
    pub title: String,
    /// What one costs.
    pub price_minor: i64,
    /// How many can be ordered.
    pub available: i32,
}

/// Those of `skus` that are for sale, sorted by SKU.
///
/// # Errors
/// The database's.
pub async fn offers(
    executor: impl PgExecutor<'_>,
    skus: &[String],
) -> Result<Vec<Offer>, sqlx::Error> {
    sqlx::query_as(
        "select v.sku, p.id as product_id, p.seller_id, v.price_minor, s.on_hand - s.reserved as available,
             case when v.title = '' or v.title = p.title then p.title else p.title || ' – ' || v.title end as title
         from variants v join products p on p.id = v.product_id join stock s on s.sku = v.sku
         where v.sku = any($1) and v.removed_at is null and p.status = 'active' order by v.sku",
    )
    .bind(skus)
    .fetch_all(executor)
    .await
}

/// Reserves stock of one SKU; false when there is not enough. Callers go
/// through SKUs in order, so that two orders never wait for each other.
///
/// # Errors
/// The database's.
pub async fn reserve_stock(
    tx: &mut PgConnection,
    sku: &str,
    quantity: u32,
) -> Result<bool, sqlx::Error> {
    let reserved = sqlx::query(
        "update stock set reserved = reserved + $2 where sku = $1 and on_hand - reserved >= $2",
    )
    .bind(sku)
    .bind(i32::try_from(quantity).unwrap_or(i32::MAX))
    .execute(tx)
    .await?;
    Ok(reserved.rows_affected() == 1)
}

/// How many of one SKU can be ordered.
///
/// # Errors
/// The database's.
pub async fn available(tx: &mut PgConnection, sku: &str) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select on_hand - reserved from stock where sku = $1")
        .bind(sku)
        .fetch_one(tx)
        .await
}

/// Records what an order holds.
///
/// # Errors
/// The database's.
pub async fn hold(
    tx: &mut PgConnection,
    order_id: Uuid,
    lines: &[PricedLine],
) -> Result<(), sqlx::Error> {
    let skus: Vec<_> = lines.iter().map(|line| line.sku.as_str()).collect();
    let quantities: Vec<_> = lines
        .iter()
        .map(|line| i32::try_from(line.quantity).unwrap_or(i32::MAX))
        .collect();
    sqlx::query(
        "insert into stock_reservations (order_id, sku, quantity)
         select $1, sku, quantity from unnest($2::text[], $3::int[]) as line (sku, quantity)",
    )
    .bind(order_id)
    .bind(skus)
    .bind(quantities)
    .execute(tx)
    .await?;
    Ok(())
}

/// Turns what an order holds into what it bought. Once: a second time changes nothing.
///
/// # Errors
/// The database's.
pub async fn sell_held(tx: &mut PgConnection, order_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with sold as (
             update stock_reservations set state = 'sold' where order_id = $1 and state = 'held'
             returning sku, quantity
         ), locked as (
             select stock.sku, sold.quantity from stock join sold using (sku) order by stock.sku for update of stock
         )
         update stock set on_hand = on_hand - locked.quantity, reserved = reserved - locked.quantity
         from locked where stock.sku = locked.sku",
    )
    .bind(order_id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives back what an order holds, or bought. Once: a second time changes nothing.
///
/// # Errors
/// The database's.
pub async fn release(tx: &mut PgConnection, order_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with before as (
             select sku, quantity, state from stock_reservations
             where order_id = $1 and state in ('held', 'sold') for update
         ), released as (
             update stock_reservations r set state = 'released' from before
             where r.order_id = $1 and r.sku = before.sku
         ), locked as (
             select stock.sku, before.quantity, before.state
             from stock join before using (sku) order by stock.sku for update of stock
         )
         update stock set
             reserved = reserved - case when locked.state = 'held' then locked.quantity else 0 end,
             on_hand = on_hand + case when locked.state = 'sold' then locked.quantity else 0 end
         from locked where stock.sku = locked.sku",
    )
    .bind(order_id)
    .execute(tx)
    .await?;
    Ok(())
}
