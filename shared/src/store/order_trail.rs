//! Orders as whoever is on call sees them: what happened to one, step by step, and of the person
//! who ordered nothing but the account's id. No address, card or secret of a payment is read.

mod listed;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::dead_letters;
use super::payments::AttemptState;
use super::refunds::RefundState;
use crate::domain::money::Currency;
use crate::domain::order::{OrderStatus, PaymentMethodKind};
use crate::domain::payment::{self, PaymentEvent, PaymentEventKind, PaymentStatus};

pub use listed::{Listed, exists, newest, newest_with_status};

/// No order has as many that anybody reads them all.
const DEAD_LETTERS_MAX: i64 = 50;

/// What an order is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Facts {
    /// The order.
    pub id: Uuid,
    /// The account that ordered.
    pub customer_id: Uuid,
    /// Where it stands.
    pub status: OrderStatus,
    /// The shop's currency.
    #[sqlx(try_from = "String")]
    pub currency: Currency,
    /// Its lines, in minor units.
    pub subtotal_minor: i64,
    /// What is taken off that.
    pub discount_minor: i64,
    /// What sending it costs.
    pub shipping_minor: i64,
    /// The tax.
    pub tax_minor: i64,
    /// Whether the tax is part of the prices.
    pub tax_included: bool,
    /// What it comes to.
    pub total_minor: i64,
    /// What was charged.
    pub captured_minor: i64,
    /// What was paid back, or is about to be.
    pub refunded_minor: i64,
    /// How it is paid.
    pub payment_method: PaymentMethodKind,
    /// Until when an authentication is waited for.
    pub reserved_until: Option<OffsetDateTime>,
    /// When it was placed.
    pub created_at: OffsetDateTime,
    /// When it changed last.
    pub updated_at: OffsetDateTime,
}

/// One SKU of an order.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// The variant's SKU.
    pub sku: String,
    /// What it was called when it was ordered.
    pub title: String,
    /// How many.
    pub quantity: i32,
    /// How many are on their way.
    pub fulfilled_quantity: i32,
    /// What one cost, in minor units.
    pub unit_price_minor: i64,
    /// Quantity times price.
    pub line_total_minor: i64,
}

/// A status that an order had.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Step {
    /// From 1.
    pub sequence: i32,
    /// The status.
    pub status: OrderStatus,
    /// Since when.
    pub at: OffsetDateTime,
}

/// Something that happened to an order's money.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Paid {
    /// What.
    pub kind: PaymentEventKind,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The attempt or the refund that it happened to.
    pub reference: String,
    /// When.
    pub at: OffsetDateTime,
}

/// A try to pay.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    /// From 1.
    pub number: i32,
    /// Card or wallet.
    pub method: PaymentMethodKind,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Its idempotency key at the provider.
    pub provider_key: String,
    /// The provider's payment, once known.
    pub provider_payment_id: Option<String>,
    /// Where it stands.
    pub state: AttemptState,
    /// Until when whoever charges may.
    pub leased_until: Option<OffsetDateTime>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it changed last.
    pub updated_at: OffsetDateTime,
}

/// Money that goes back.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Refund {
    /// The refund.
    pub id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: RefundState,
    /// The provider's refund, once known.
    pub provider_refund_id: Option<String>,
    /// Who asked for it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it changed last.
    pub updated_at: OffsetDateTime,
}

/// An event about an order, on its way to one queue.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Told {
    /// The event.
    pub event_id: Uuid,
    /// The queue.
    pub queue: String,
    /// The event's type.
    #[sqlx(rename = "type")]
    pub type_: String,
    /// Its place among the order's events in the queue.
    pub sequence: i64,
    /// When it happened.
    pub occurred_at: OffsetDateTime,
    /// When the queue had it.
    pub published_at: Option<OffsetDateTime>,
    /// When it was sent once more, because nobody had handled it.
    pub sent_again_at: Option<OffsetDateTime>,
    /// When its consumer handled it.
    pub consumed_at: Option<OffsetDateTime>,
}

/// All that happened to an order, each list in the order in which it happened.
#[derive(Debug, Clone)]
pub struct Trail {
    /// What it is.
    pub facts: Facts,
    /// What was ordered, by SKU.
    pub lines: Vec<Line>,
    /// Every status it had.
    pub history: Vec<Step>,
    /// What happened to its money.
    pub payments: Vec<Paid>,
    /// Tries to pay.
    pub attempts: Vec<Attempt>,
    /// What went back.
    pub refunds: Vec<Refund>,
    /// Whom it was told.
    pub events: Vec<Told>,
    /// What consumers gave up of that, the last one first.
    pub dead_letters: Vec<dead_letters::Shown>,
}

impl Trail {
    /// How its payment stands.
    pub fn payment_status(&self) -> PaymentStatus {
        let events = self.payments.iter().map(|paid| PaymentEvent {
            kind: paid.kind,
            amount_minor: paid.amount_minor,
        });
        payment::status(&events.collect::<Vec<_>>())
    }
}

/// An order's trail. Costs eight statements.
///
/// # Errors
/// The database's.
pub async fn load(
    connection: &mut PgConnection,
    order_id: Uuid,
) -> Result<Option<Trail>, sqlx::Error> {
    let Some(facts) = facts(connection, order_id).await? else {
        return Ok(None);
    };
    Ok(Some(Trail {
        facts,
        lines: lines(connection, order_id).await?,
        history: history(connection, order_id).await?,
        payments: payments(connection, order_id).await?,
        attempts: attempts(connection, order_id).await?,
        refunds: refunds(connection, order_id).await?,
        events: events(connection, order_id).await?,
        dead_letters: dead_letters::of_aggregate(connection, order_id, DEAD_LETTERS_MAX).await?,
    }))
}

async fn facts(
    connection: &mut PgConnection,
    order_id: Uuid,
) -> Result<Option<Facts>, sqlx::Error> {
    sqlx::query_as(
        "select id, customer_id, status, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor,
             tax_included, total_minor, captured_minor, refunded_minor, payment_method, reserved_until,
             created_at, updated_at
         from orders where id = $1",
    )
    .bind(order_id)
    .fetch_optional(connection)
    .await
}

async fn lines(connection: &mut PgConnection, order_id: Uuid) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as(
        "select sku, title, quantity, fulfilled_quantity, unit_price_minor, line_total_minor
         from order_lines where order_id = $1 order by sku",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}

async fn history(connection: &mut PgConnection, order_id: Uuid) -> Result<Vec<Step>, sqlx::Error> {
    sqlx::query_as(
        "select sequence, status, at from order_history where order_id = $1 order by sequence",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}

async fn payments(connection: &mut PgConnection, order_id: Uuid) -> Result<Vec<Paid>, sqlx::Error> {
    sqlx::query_as(
        "select kind, amount_minor, reference, at from payment_events where order_id = $1 order by at, id",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}

async fn attempts(
    connection: &mut PgConnection,
    order_id: Uuid,
) -> Result<Vec<Attempt>, sqlx::Error> {
    sqlx::query_as(
        "select number, method, amount_minor, provider_key, provider_payment_id, state, leased_until, created_at,
             updated_at
         from payment_attempts where order_id = $1 order by number",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}

async fn refunds(
    connection: &mut PgConnection,
    order_id: Uuid,
) -> Result<Vec<Refund>, sqlx::Error> {
    sqlx::query_as(
        "select id, amount_minor, reason, state, provider_refund_id, created_by, created_at, updated_at
         from refunds where order_id = $1 order by created_at, id",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}

async fn events(connection: &mut PgConnection, order_id: Uuid) -> Result<Vec<Told>, sqlx::Error> {
    sqlx::query_as(
        "select event_id, queue, type, sequence, occurred_at, published_at, sent_again_at, consumed_at
         from outbox where aggregate_id = $1 order by occurred_at, queue, sequence",
    )
    .bind(order_id)
    .fetch_all(connection)
    .await
}
