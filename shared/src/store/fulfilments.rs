//! Shipments.

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::order::FulfilmentLine;

/// A shipment to be stored.
#[derive(Debug, Clone)]
pub struct NewFulfilment<'a> {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// Who carries it.
    pub carrier: &'a str,
    /// The carrier's number for it.
    pub tracking_number: &'a str,
    /// What is in it.
    pub lines: &'a [FulfilmentLine],
    /// Who sent it.
    pub created_by: Uuid,
}

/// Stores a shipment.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut PgConnection, new: &NewFulfilment<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into fulfilments (id, order_id, carrier, tracking_number, lines, created_by)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(new.order_id)
    .bind(new.carrier)
    .bind(new.tracking_number)
    .bind(Json(new.lines))
    .bind(new.created_by)
    .execute(tx)
    .await?;
    Ok(())
}

/// What of an order is still to be sent, by all sellers or by one.
///
/// # Errors
/// The database's.
pub async fn open_lines(
    tx: &mut PgConnection,
    order_id: Uuid,
    seller_id: Option<Uuid>,
) -> Result<Vec<FulfilmentLine>, sqlx::Error> {
    let rows: Vec<(String, i32)> = sqlx::query_as(
        "select sku, quantity - fulfilled_quantity from order_lines
         where order_id = $1 and ($2::uuid is null or seller_id = $2) and quantity > fulfilled_quantity order by sku",
    )
    .bind(order_id)
    .bind(seller_id)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(sku, quantity)| FulfilmentLine { sku, quantity })
        .collect())
}

/// Counts units of a line as sent.
///
/// # Errors
/// The database's; constraint `order_lines_fulfilled_at_most_ordered`.
pub async fn count_as_sent(
    tx: &mut PgConnection,
    order_id: Uuid,
    line: &FulfilmentLine,
) -> Result<(), sqlx::Error> {
    sqlx::query("update order_lines set fulfilled_quantity = fulfilled_quantity + $3 where order_id = $1 and sku = $2")
        .bind(order_id)
        .bind(&line.sku)
        .bind(line.quantity)
        .execute(tx)
        .await?;
    Ok(())
}

/// Whether a seller has lines in an order.
///
/// # Errors
/// The database's.
pub async fn has_lines_of(
    tx: &mut PgConnection,
    order_id: Uuid,
    seller_id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from order_lines where order_id = $1 and seller_id = $2)",
    )
    .bind(order_id)
    .bind(seller_id)
    .fetch_one(tx)
    .await
}

/// Whether anything of an order was sent.
///
/// # Errors
/// The database's.
pub async fn any_sent(tx: &mut PgConnection, order_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from order_lines where order_id = $1 and fulfilled_quantity > 0)",
    )
    .bind(order_id)
    .fetch_one(tx)
    .await
}
