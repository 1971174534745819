//! One row per (caller, route, key): who runs the request, and what was answered.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::idempotency::{Fingerprint, IdempotencyKey, SavedAnswer};
use crate::resilience::policies::IDEMPOTENCY_LEASE;

/// Which request of whom.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The caller's account.
    pub caller: Uuid,
    /// Method and path template, such as `POST /checkout`.
    pub route: &'static str,
    /// The caller's key.
    pub key: &'a IdempotencyKey,
    /// What was asked for.
    pub fingerprint: Fingerprint,
}

/// What a claim found.
#[derive(Debug)]
pub enum Claim {
    /// The request is ours to run: the first time, or again after its lease ran out.
    Started,
    /// It was answered before.
    Finished(SavedAnswer),
    /// Somebody else runs it.
    InProgress {
        /// When their lease ends at the latest.
        retry_after: Duration,
    },
    /// The key was used for something else.
    Mismatch,
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: Vec<u8>,
    status: Option<i16>,
    body: Option<Vec<u8>>,
    degraded: Option<String>,
    lease_seconds: f64,
}

/// Claims the request for this transaction's caller. Waits while another
/// transaction that claimed it first has not ended.
///
/// # Errors
/// The database's. Costs one statement, two when the key is known.
pub async fn claim(tx: &mut PgConnection, scope: &Scope<'_>) -> Result<Claim, sqlx::Error> {
    let started = sqlx::query(
        "insert into idempotency_keys (caller_id, route, key, fingerprint, owner, leased_until)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
         on conflict (caller_id, route, key) do update
         set owner = excluded.owner, leased_until = excluded.leased_until
         where idempotency_keys.status is null and idempotency_keys.leased_until < now()
             and idempotency_keys.fingerprint = excluded.fingerprint",
    )
    .bind(scope.caller)
    .bind(scope.route)
    .bind(scope.key.as_str())
    .bind(scope.fingerprint.as_bytes())
    .bind(Uuid::now_v7())
    .bind(IDEMPOTENCY_LEASE.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    if started.rows_affected() == 1 {
        return Ok(Claim::Started);
    }
    let row: Row = sqlx::query_as(
        "select fingerprint, status, body, degraded,
             greatest(1, extract(epoch from leased_until - now()))::float8 as lease_seconds
         from idempotency_keys where caller_id = $1 and route = $2 and key = $3",
    )
    .bind(scope.caller)
    .bind(scope.route)
    .bind(scope.key.as_str())
    .fetch_one(tx)
    .await?;
    if row.fingerprint != scope.fingerprint.as_bytes() {
        return Ok(Claim::Mismatch);
    }
    let retry_after = Duration::from_secs_f64(row.lease_seconds);
    Ok(match (row.status, row.body) {
        (Some(status), Some(body)) => Claim::Finished(SavedAnswer {
            status: status.unsigned_abs(),
            body,
            degraded: row.degraded,
        }),
        _ => Claim::InProgress { retry_after },
    })
}

/// Binds a key to what was asked for under it, without an answer: whoever comes
/// with it next makes one from what is stored then. A key that is known stays as it is.
///
/// # Errors
/// The database's.
pub async fn bind(tx: &mut PgConnection, scope: &Scope<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into idempotency_keys (caller_id, route, key, fingerprint, owner, leased_until)
         values ($1, $2, $3, $4, $5, now()) on conflict (caller_id, route, key) do nothing",
    )
    .bind(scope.caller)
    .bind(scope.route)
    .bind(scope.key.as_str())
    .bind(scope.fingerprint.as_bytes())
    .bind(Uuid::now_v7())
    .execute(tx)
    .await?;
    Ok(())
}

/// Stores the answer, in the transaction of the effect that it reports.
///
/// # Errors
/// The database's.
pub async fn finish(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    answer: &SavedAnswer,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update idempotency_keys set status = $4, body = $5, degraded = $6
         where caller_id = $1 and route = $2 and key = $3 and status is null",
    )
    .bind(scope.caller)
    .bind(scope.route)
    .bind(scope.key.as_str())
    .bind(i16::try_from(answer.status).unwrap_or(i16::MAX))
    .bind(&answer.body)
    .bind(&answer.degraded)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets answers that were kept for so long, the oldest first, at most `limit`; how many they
/// were. Those of orders stay for ever, and so do a request that is under way and whatever
/// belongs to a caller who has an order that is not decided yet.
///
/// # Errors
/// The database's.
pub async fn forget(tx: &mut PgConnection, kept: Duration, limit: i64) -> Result<u64, sqlx::Error> {
    // By their places: joined by three columns, all rows would be read.
    let forgotten = sqlx::query(
        "delete from idempotency_keys where ctid = any (array(
             select k.ctid from idempotency_keys k
             where k.route <> 'POST /checkout' and k.created_at < now() - make_interval(secs => $1)
                 and k.status is not null and not exists (
                     select from orders o where o.customer_id = k.caller_id
                         and o.status in ('received', 'payment_pending', 'payment_unknown'))
             order by k.created_at limit $2))",
    )
    .bind(kept.as_secs_f64())
    .bind(limit)
    .execute(tx)
    .await?;
    Ok(forgotten.rows_affected())
}
