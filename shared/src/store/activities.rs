//! What browsers reported: what is looked at, and who was there.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::trending::Heat;

/// What is known of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// Stands for so many.
    pub weight: i32,
    /// When they last did something.
    pub seen_at: OffsetDateTime,
    /// When they last put something into a cart.
    pub added_at: Option<OffsetDateTime>,
}

/// Remembers these events as counted; those that were not counted before.
///
/// # Errors
/// The database's.
pub async fn count_once(tx: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "insert into inbox (consumer, event_id)
         select 'projector', id from unnest($1::uuid[]) as reported (id) group by id order by id
         on conflict do nothing returning event_id",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
}

/// Adds to how much products are looked at; products that there are not are left out. Each product
/// once, in the order of their ids.
///
/// # Errors
/// The database's.
pub async fn warm(tx: &mut PgConnection, products: &[(Uuid, Heat)]) -> Result<(), sqlx::Error> {
    // A power below 2^-64 adds nothing, and one that is much lower is an error of PostgreSQL's.
    sqlx::query(
        "insert into product_heat (product_id, heat)
         select p.id, more.heat from unnest($1::uuid[], $2::double precision[]) as more (product_id, heat)
         join products p on p.id = more.product_id order by p.id
         on conflict (product_id) do update set heat = greatest(product_heat.heat, excluded.heat)
             + ln(1 + power(2::double precision, - least(abs(product_heat.heat - excluded.heat), 64)))
             / ln(2::double precision)",
    )
    .bind(products.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(products.iter().map(|(_, heat)| heat.value()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Remembers who was there. Each visitor once, in the order of their ids.
///
/// # Errors
/// The database's.
pub async fn see(tx: &mut PgConnection, visitors: &[(Uuid, Visitor)]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into visitors (id, weight, seen_at, added_at)
         select * from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[])
         on conflict (id) do update set weight = least(visitors.weight, excluded.weight),
             seen_at = greatest(visitors.seen_at, excluded.seen_at),
             added_at = greatest(visitors.added_at, excluded.added_at)",
    )
    .bind(visitors.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(
        visitors
            .iter()
            .map(|(_, seen)| seen.weight)
            .collect::<Vec<_>>(),
    )
    .bind(
        visitors
            .iter()
            .map(|(_, seen)| seen.seen_at)
            .collect::<Vec<_>>(),
    )
    .bind(
        visitors
            .iter()
            .map(|(_, seen)| seen.added_at)
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets visitors that were not there for so long; how many.
///
/// # Errors
/// The database's.
pub async fn forget_visitors(tx: &mut PgConnection, kept: Duration) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from visitors where id in (select id from visitors
             where seen_at < now() - make_interval(secs => $1) limit 10000)",
    )
    .bind(kept.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Forgets which events were counted so long ago that no repeat is taken any more; how many.
///
/// # Errors
/// The database's.
pub async fn forget_counted(tx: &mut PgConnection, kept: Duration) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from inbox where consumer = 'projector' and event_id in (select event_id from inbox
             where consumer = 'projector' and processed_at < now() - make_interval(secs => $1) limit 10000)",
    )
    .bind(kept.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}

/// What the shop's admins are shown. An order that came to nothing is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Figures {
    /// Orders of the last hour.
    pub orders_last_hour: i64,
    /// What they brought, less what was paid back.
    pub revenue_last_hour_minor: i64,
    /// Orders of the last day.
    pub orders_last_day: i64,
    /// Visitors of the last day.
    pub visitors_last_day: i64,
    /// Of these, who put something into a cart.
    pub carts_last_day: i64,
    /// Whether some of them stand for others.
    pub is_sampled: bool,
}

/// The figures of this moment. One statement.
///
/// # Errors
/// The database's.
pub async fn figures(database: impl PgExecutor<'_>) -> Result<Figures, sqlx::Error> {
    sqlx::query_as(
        "select bought.orders_last_hour, bought.revenue_last_hour_minor, bought.orders_last_day,
             seen.visitors_last_day, seen.carts_last_day, seen.is_sampled
         from (
             select count(*) filter (where created_at > now() - interval '1 hour') as orders_last_hour,
                 coalesce(sum(captured_minor - refunded_minor) filter (where created_at > now() - interval '1 hour'),
                     0)::bigint as revenue_last_hour_minor,
                 count(*) as orders_last_day
             from orders where created_at > now() - interval '1 day'
                 and status not in ('payment_failed', 'cancelled', 'rejected')
         ) as bought cross join (
             select coalesce(sum(weight), 0)::bigint as visitors_last_day,
                 coalesce(sum(weight) filter (where added_at > now() - interval '1 day'), 0)::bigint as carts_last_day,
                 coalesce(bool_or(weight > 1), false) as is_sampled
             from visitors where seen_at > now() - interval '1 day'
         ) as seen",
    )
    .fetch_one(database)
    .await
}
