//! What is recommended: what is looked at lately, and what was bought together.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::products::{self, Card, ProductKey};

/// The products that are looked at most lately; where these are too few, the newest. Three statements.
///
/// # Errors
/// The database's.
pub async fn trending(connection: &mut PgConnection, limit: i64) -> Result<Vec<Card>, sqlx::Error> {
    let mut ids: Vec<Uuid> = sqlx::query_scalar(
        "select p.id from product_heat h join products p on p.id = h.product_id
         where p.status = 'active' order by h.heat desc, h.product_id limit $1",
    )
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let newest: Vec<Uuid> = sqlx::query_scalar(
        "select id from products where status = 'active' and id <> all ($1)
         order by created_at desc, id desc limit $2::bigint - cardinality($1)",
    )
    .bind(&ids)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    ids.extend(newest);
    products::cards(connection, &ids).await
}

/// The same, on a connection of its own.
///
/// # Errors
/// The database's.
pub async fn read_trending(pool: &PgPool, limit: i64) -> Result<Vec<Card>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    trending(&mut connection, limit).await
}

/// The id of a product, and what is on sale of what was bought together with it, most often first;
/// `None` when it is not on sale itself. Three statements on one connection.
///
/// # Errors
/// The database's.
pub async fn also_bought(
    pool: &PgPool,
    key: &ProductKey,
    limit: i64,
) -> Result<Option<(Uuid, Vec<Card>)>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let Some(product) = id_on_sale(&mut connection, key).await? else {
        return Ok(None);
    };
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select p.id from recommendations r
         cross join unnest(r.also_bought) with ordinality as other (id, place)
         join products p on p.id = other.id
         where r.product_id = $1 and p.status = 'active' order by other.place limit $2",
    )
    .bind(product)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let cards = products::cards(&mut *connection, &ids).await?;
    Ok(Some((product, cards)))
}

async fn id_on_sale(
    connection: &mut PgConnection,
    key: &ProductKey,
) -> Result<Option<Uuid>, sqlx::Error> {
    let (id, slug) = match key {
        ProductKey::Id(id) => (Some(id), None),
        ProductKey::Slug(slug) => (None, Some(slug.as_str())),
    };
    sqlx::query_scalar(
        "select id from products
         where id = coalesce($1, (select id from products where slug = $2)) and status = 'active'",
    )
    .bind(id)
    .bind(slug)
    .fetch_optional(connection)
    .await
}

/// The products of these orders, in the order of their ids.
///
/// # Errors
/// The database's.
pub async fn products_of(tx: &mut PgConnection, orders: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select distinct product_id from order_lines where order_id = any ($1) order by product_id",
    )
    .bind(orders)
    .fetch_all(tx)
    .await
}

/// Brings what was bought together with a product to what the orders say: of at most a thousand,
/// and since their ids are hashes, these are a fair sample of all. The twenty products that are in
/// most of them.
///
/// # Errors
/// The database's.
pub async fn refresh(tx: &mut PgConnection, product: Uuid) -> Result<(), sqlx::Error> {
    // Whoever writes last must have read last.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('recommendations' || $1::text, 0))")
        .bind(product)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into recommendations (product_id, also_bought)
         select $1::uuid, array(
             select other.product_id from (
                 select distinct l.order_id from order_lines l join orders o on o.id = l.order_id
                 where l.product_id = $1 and o.status in ('paid', 'fulfilled', 'delivered', 'refunded')
                 order by l.order_id limit 1000
             ) as bought
             join order_lines other on other.order_id = bought.order_id and other.product_id <> $1
             group by other.product_id
             order by count(distinct other.order_id) desc, other.product_id limit 20
         )
         on conflict (product_id) do update set also_bought = excluded.also_bought",
    )
    .bind(product)
    .execute(tx)
    .await?;
    Ok(())
}
