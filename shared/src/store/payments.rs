//! Payment attempts and what happened to the money.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids;
use crate::domain::order::PaymentMethodKind;
use crate::domain::payment::PaymentEventKind;
use crate::resilience::policies::IDEMPOTENCY_LEASE;

/// Where an attempt to pay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AttemptState {
    /// Proven not charged.
    Pending,
    /// Being charged, until its lease ends; after that, unknown.
    Started,
    /// The customer must authenticate.
    RequiresAction,
    /// It may have been charged.
    Unknown,
    /// Charged.
    Captured,
    /// Refused.
    Declined,
    /// Can charge no more.
    Cancelled,
}

/// One try to pay for one order.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// From 1.
    pub number: i32,
    /// Card or wallet.
    pub method: PaymentMethodKind,
    /// The order's total, in minor units.
    pub amount_minor: i64,
    /// The shop's currency.
    pub currency: String,
    /// The idempotency key of this attempt at the provider.
    pub provider_key: String,
    /// The provider's payment method.
    pub provider_method_id: Option<String>,
    /// The provider's payment, once known.
    pub provider_payment_id: Option<String>,
    /// What the customer's browser authenticates with.
    pub client_secret: Option<String>,
    /// Where it stands.
    pub state: AttemptState,
    /// Whether somebody charges at this moment.
    pub leased: bool,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// The customer at the provider, for a saved card.
    pub provider_customer_id: Option<String>,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct NewAttempt<'a> {
    /// The order.
    pub order_id: Uuid,
    /// From 1.
    pub number: i32,
    /// Card or wallet.
    pub method: PaymentMethodKind,
    /// The order's total, in minor units.
    pub amount_minor: i64,
    /// The shop's currency.
    pub currency: &'a str,
    /// The provider's payment method, for a card.
    pub provider_method_id: Option<&'a str>,
}

/// Begins an attempt: it is leased to its maker. Its id and its key at the
/// provider are made from the order and the number.
///
/// # Errors
/// The database's; constraint `payment_attempts_one_open`.
pub async fn start_attempt(
    tx: &mut PgConnection,
    new: &NewAttempt<'_>,
) -> Result<Uuid, sqlx::Error> {
    let id = ids::derived("payment-attempt", new.order_id, &new.number.to_string());
    sqlx::query(
        "insert into payment_attempts (id, order_id, number, method, amount_minor, currency, provider_key,
             provider_method_id, leased_until)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))",
    )
    .bind(id)
    .bind(new.order_id)
    .bind(new.number)
    .bind(new.method)
    .bind(new.amount_minor)
    .bind(new.currency)
    .bind(format!("attempt-{id}"))
    .bind(new.provider_method_id)
    .bind(IDEMPOTENCY_LEASE.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    let happened = Happened {
        kind: PaymentEventKind::Started,
        amount_minor: new.amount_minor,
        reference: id,
    };
    record_event(tx, new.order_id, &happened).await?;
    Ok(id)
}

/// The order's latest attempt, locked.
///
/// # Errors
/// The database's.
pub async fn lock_latest(
    tx: &mut PgConnection,
    order_id: Uuid,
) -> Result<Option<Attempt>, sqlx::Error> {
    sqlx::query_as(
        "select a.id, a.order_id, a.number, a.method, a.amount_minor, a.currency, a.provider_key,
             a.provider_method_id, a.provider_payment_id, a.client_secret, a.state,
             a.state = 'started' and a.leased_until > now() as leased, a.created_at, u.provider_customer_id
         from payment_attempts a join orders o on o.id = a.order_id join users u on u.id = o.customer_id
         where a.order_id = $1 order by a.number desc limit 1 for update of a",
    )
    .bind(order_id)
    .fetch_optional(tx)
    .await
}

/// The order of the attempt that a provider's payment belongs to.
///
/// # Errors
/// The database's.
pub async fn order_of_payment(
    tx: &mut PgConnection,
    provider_payment_id: &str,
    attempt_id: Option<Uuid>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select order_id from payment_attempts where provider_payment_id = $1 or id = $2 limit 1",
    )
    .bind(provider_payment_id)
    .bind(attempt_id)
    .fetch_optional(tx)
    .await
}

/// Takes the lease on an attempt, to charge it.
///
/// # Errors
/// The database's.
pub async fn lease(tx: &mut PgConnection, attempt_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update payment_attempts set state = 'started', leased_until = now() + make_interval(secs => $2), updated_at = now()
         where id = $1",
    )
    .bind(attempt_id)
    .bind(IDEMPOTENCY_LEASE.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(())
}

/// What an attempt came to.
#[derive(Debug, Clone)]
pub struct Settled<'a> {
    /// Where it stands now.
    pub state: AttemptState,
    /// The provider's payment, if known.
    pub provider_payment_id: Option<&'a str>,
    /// What the customer's browser authenticates with.
    pub client_secret: Option<&'a str>,
}

/// Stores what an attempt came to, and ends its lease.
///
/// # Errors
/// The database's.
pub async fn settle(
    tx: &mut PgConnection,
    attempt_id: Uuid,
    settled: &Settled<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update payment_attempts set state = $2, provider_payment_id = coalesce($3, provider_payment_id),
             client_secret = $4, leased_until = null, updated_at = now()
         where id = $1",
    )
    .bind(attempt_id)
    .bind(settled.state)
    .bind(settled.provider_payment_id)
    .bind(settled.client_secret)
    .execute(tx)
    .await?;
    Ok(())
}

/// Something that happened to an order's money.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    /// What.
    pub kind: PaymentEventKind,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The attempt or the refund; the same thing is recorded once.
    pub reference: Uuid,
}

/// Records what happened, once per kind and reference.
///
/// # Errors
/// The database's.
pub async fn record_event(
    tx: &mut PgConnection,
    order_id: Uuid,
    happened: &Happened,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into payment_events (id, order_id, kind, amount_minor, reference) values ($1, $2, $3, $4, $5)
         on conflict (order_id, kind, reference) do nothing",
    )
    .bind(ids::new_id())
    .bind(order_id)
    .bind(happened.kind)
    .bind(happened.amount_minor)
    .bind(happened.reference.to_string())
    .execute(tx)
    .await?;
    Ok(())
}

/// Orders with an attempt that nobody works on and that has no outcome.
///
/// # Errors
/// The database's.
pub async fn unsettled_orders(tx: &mut PgConnection, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select order_id from payment_attempts
         where method = 'card' and state in ('pending', 'started', 'unknown')
             and coalesce(leased_until, updated_at + interval '30 seconds') < now()
         order by updated_at limit $1",
    )
    .bind(limit)
    .fetch_all(tx)
    .await
}
