//! What must hold afterwards, read from the database, the provider's ledger and the answers that
//! clients got. It shares no code with the shop: where both are wrong, they are not wrong alike.

use super::answers::Outcome;
use super::scene::Stocked;
use anyhow::{Context, Result};
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What the checker looked at, and what it found wrong.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Orders that clients were told the shop has.
    pub acknowledged: usize,
    /// Orders in the database, of everybody.
    pub orders: usize,
    /// Charges in the provider's ledger.
    pub charges: usize,
    /// Orders by status, of those that were acknowledged.
    pub statuses: Vec<(String, usize)>,
    /// Every rule that is broken, in words; empty when all is well.
    pub violations: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Order {
    id: Uuid,
    customer_id: Uuid,
    status: String,
    total_minor: i64,
    captured_minor: i64,
    refunded_minor: i64,
    waits_for_customer: bool,
}

/// What the provider's ledger says of one order.
#[derive(Default)]
struct Money {
    charges: usize,
    charged_minor: i64,
    refunded_minor: i64,
}

/// Waits until nothing is under way any more: no order without an outcome, no event unsent. How
/// long it took; `None` when the time was not enough.
///
/// # Errors
/// The database does not answer.
pub async fn settle(db: &mut PgConnection, timeout: Duration) -> Result<Option<Duration>> {
    let began = Instant::now();
    while began.elapsed() < timeout {
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from outbox where published_at is null)
                + (select count(*) from refunds where state = 'pending')
                + (select count(*) from orders o where o.status in ('received', 'payment_unknown')
                    or o.status = 'payment_pending' and not exists (select from payment_attempts a
                        where a.order_id = o.id and a.state = 'requires_action'))",
        )
        .fetch_one(&mut *db)
        .await?;
        if left == 0 {
            return Ok(Some(began.elapsed()));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(None)
}

/// Checks every rule.
///
/// # Errors
/// The database or the ledger cannot be read, which says nothing about the rules.
pub async fn check(
    db: &mut PgConnection,
    payments_url: &str,
    outcomes: &[Outcome],
    goods: &[Stocked],
) -> Result<Report> {
    let orders = orders(db).await?;
    let money = ledger(payments_url).await?;
    let mut report = Report {
        acknowledged: outcomes
            .iter()
            .filter(|outcome| outcome.acknowledged())
            .count(),
        orders: orders.len(),
        charges: money.values().map(|money| money.charges).sum(),
        ..Report::default()
    };
    check_answers(outcomes, &orders, &mut report);
    check_money(&orders, &money, &mut report);
    check_stock(db, goods, &mut report).await?;
    check_events(db, &mut report).await?;
    Ok(report)
}

async fn orders(db: &mut PgConnection) -> Result<HashMap<Uuid, Order>> {
    let rows: Vec<Order> = sqlx::query_as(
        "select id, customer_id, status, total_minor, captured_minor, refunded_minor,
             exists (select from payment_attempts a where a.order_id = orders.id
                 and a.state = 'requires_action') as waits_for_customer
         from orders",
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|order| (order.id, order)).collect())
}

async fn ledger(payments_url: &str) -> Result<HashMap<Uuid, Money>> {
    let page = reqwest::get(format!("{payments_url}/_sandbox/ledger"))
        .await?
        .error_for_status()?;
    let page: Value = page.json().await?;
    let entries = page["data"].as_array().context("the ledger has no data")?;
    // A refund names its charge; the charge names its order.
    let mut order_of_charge: HashMap<&str, Uuid> = HashMap::new();
    let mut money: HashMap<Uuid, Money> = HashMap::new();
    for entry in entries {
        let amount = entry["amount"].as_i64().unwrap_or_default();
        let charge = entry["charge"].as_str().unwrap_or_default();
        match entry["kind"].as_str().unwrap_or_default() {
            "charge" | "capture" => {
                // Money that belongs to no order is filed under none at all.
                let order = entry["metadata"]["order_id"].as_str();
                let order = order.and_then(|id| id.parse().ok()).unwrap_or(Uuid::nil());
                order_of_charge.insert(charge, order);
                let money = money.entry(order).or_default();
                money.charges += 1;
                money.charged_minor += amount;
            }
            "refund" => {
                let order = order_of_charge.get(charge).copied().unwrap_or(Uuid::nil());
                money.entry(order).or_default().refunded_minor += amount;
            }
            _ => {}
        }
    }
    Ok(money)
}

/// Every acknowledged order exists, is its customer's, costs what they were told, and has come to
/// an end or waits for the customer.
fn check_answers(outcomes: &[Outcome], orders: &HashMap<Uuid, Order>, report: &mut Report) {
    let mut statuses: HashMap<&str, usize> = HashMap::new();
    for outcome in outcomes {
        let key = &outcome.key;
        if outcome.ids.len() > 1 {
            let ids = &outcome.ids;
            report.violations.push(format!(
                "key {key} was answered with several orders: {ids:?}"
            ));
        }
        if !outcome.acknowledged() {
            continue;
        }
        let order = outcome.order_id().and_then(|id| orders.get(&id));
        let Some(order) = order else {
            let id = outcome.order_id();
            report.violations.push(format!(
                "key {key}: acknowledged order {id:?} does not exist"
            ));
            continue;
        };
        *statuses.entry(&order.status).or_default() += 1;
        let id = order.id;
        let mut broken = |words: String| report.violations.push(format!("order {id}: {words}"));
        if order.customer_id != outcome.customer_id {
            broken("belongs to somebody else".into());
        }
        if let Some(told) = outcome.total_minor
            && told != order.total_minor
        {
            let total = order.total_minor;
            broken(format!("the customer was told {told}, it is {total}"));
        }
        let ended = matches!(
            order.status.as_str(),
            "paid"
                | "fulfilled"
                | "delivered"
                | "refunded"
                | "payment_failed"
                | "cancelled"
                | "rejected"
        );
        if !ended && !order.waits_for_customer {
            broken(format!("is still {}", order.status));
        }
        if outcome.status == 201 && order.captured_minor != order.total_minor {
            broken("was answered as paid and is not".into());
        }
    }
    report.statuses = statuses
        .into_iter()
        .map(|(status, count)| (status.to_owned(), count))
        .collect();
    report.statuses.sort();
}

/// At most one charge per order, exactly its total, and the database and the provider agree.
fn check_money(orders: &HashMap<Uuid, Order>, money: &HashMap<Uuid, Money>, report: &mut Report) {
    let mut broken = |words: String| report.violations.push(words);
    for (id, money) in money {
        let Some(order) = orders.get(id) else {
            broken(format!(
                "{} was charged for order {id}, which does not exist",
                money.charged_minor
            ));
            continue;
        };
        if money.charges > 1 {
            broken(format!("order {id} was charged {} times", money.charges));
        }
        if money.charged_minor != order.captured_minor {
            let (charged, captured) = (money.charged_minor, order.captured_minor);
            broken(format!(
                "order {id}: charged {charged}, recorded {captured}"
            ));
        }
        if money.refunded_minor != order.refunded_minor {
            let (paid, recorded) = (money.refunded_minor, order.refunded_minor);
            broken(format!("order {id}: paid back {paid}, recorded {recorded}"));
        }
    }
    for order in orders.values() {
        let (id, status) = (order.id, &order.status);
        if order.captured_minor != 0 && order.captured_minor != order.total_minor {
            broken(format!(
                "order {id}: {} of {} was captured",
                order.captured_minor, order.total_minor
            ));
        }
        let kept = order.captured_minor - order.refunded_minor;
        let owed = matches!(status.as_str(), "cancelled" | "rejected" | "payment_failed");
        if owed && kept != 0 {
            broken(format!("order {id} is {status} and {kept} was kept"));
        }
        let is_paid = matches!(status.as_str(), "paid" | "fulfilled" | "delivered");
        if is_paid && order.captured_minor != order.total_minor {
            broken(format!("order {id} is {status} without its money"));
        }
    }
}

/// Nothing is sold that was not there, and what orders hold is what the stock says they hold.
async fn check_stock(db: &mut PgConnection, goods: &[Stocked], report: &mut Report) -> Result<()> {
    let uneven: Vec<(String, i64, i64)> = sqlx::query_as(
        "select s.sku, s.reserved::bigint, coalesce(sum(r.quantity) filter (where r.state = 'held'), 0)::bigint
         from stock s left join stock_reservations r using (sku) group by s.sku, s.reserved
         having s.reserved <> coalesce(sum(r.quantity) filter (where r.state = 'held'), 0)",
    )
    .fetch_all(&mut *db)
    .await?;
    for (sku, reserved, held) in uneven {
        let words = format!("{sku}: {reserved} reserved, but orders hold {held}");
        report.violations.push(words);
    }
    let not_of_status: Vec<(Uuid, String, String)> = sqlx::query_as(
        "select o.id, o.status, r.state from orders o join stock_reservations r on r.order_id = o.id
         where r.state <> case
             when o.status in ('paid', 'fulfilled', 'delivered') then 'sold'
             when o.status in ('cancelled', 'rejected', 'payment_failed') then 'released'
             when o.status in ('payment_pending', 'payment_unknown') then 'held'
             else r.state end",
    )
    .fetch_all(&mut *db)
    .await?;
    for (id, status, state) in not_of_status {
        let words = format!("order {id} is {status} and its stock is {state}");
        report.violations.push(words);
    }
    for good in goods {
        let (on_hand, sold): (i64, i64) = sqlx::query_as(
            "select s.on_hand::bigint, coalesce((select sum(r.quantity) from stock_reservations r
                 where r.sku = s.sku and r.state = 'sold'), 0)::bigint
             from stock s where s.sku = $1",
        )
        .bind(&good.sku)
        .fetch_one(&mut *db)
        .await?;
        if on_hand < 0 || good.stock - on_hand != sold {
            let words = format!(
                "{}: there were {}, {sold} were sold, {on_hand} are left",
                good.sku, good.stock
            );
            report.violations.push(words);
        }
    }
    Ok(())
}

/// Every event was sent, and everything that a customer must hear of has its event, once.
async fn check_events(db: &mut PgConnection, report: &mut Report) -> Result<()> {
    let unsent: i64 = sqlx::query_scalar("select count(*) from outbox where published_at is null")
        .fetch_one(&mut *db)
        .await?;
    if unsent > 0 {
        report
            .violations
            .push(format!("{unsent} events were never sent"));
    }
    let silent: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select o.id, o.status, count(e.event_id) from orders o left join outbox e
             on e.aggregate_id = o.id and e.queue = 'mail' and e.type = case o.status
                 when 'paid' then 'order_paid' when 'rejected' then 'order_rejected' end
         where o.status in ('paid', 'rejected') group by o.id, o.status having count(e.event_id) <> 1",
    )
    .fetch_all(&mut *db)
    .await?;
    for (id, status, count) in silent {
        let words = format!("order {id} is {status}, and {count} events say so");
        report.violations.push(words);
    }
    Ok(())
}
