//! What the console reads of orders, on a database of the test's own, with the rights of `ops`.

use shared::domain::dead_letters::DeadLetterStatus;
use shared::domain::order::OrderStatus;
use shared::domain::payment::{PaymentEventKind, PaymentStatus};
use shared::store::order_trail;
use shared::store::payments::AttemptState;
use sqlx::PgPool;
use tests::TestDatabase;
use uuid::Uuid;

async fn customer(pool: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into users (id, email, email_key, name, password_hash, wallet_id)
         values ($1, 'ada@a.example', 'ada@a.example', 'Ada', 'x', $1)",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    id
}

/// An order that was placed some minutes ago.
async fn order(pool: &PgPool, customer: Uuid, (status, minutes): (OrderStatus, i32)) -> Uuid {
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into orders (id, customer_id, idempotency_key, status, currency, subtotal_minor, shipping_minor,
             tax_minor, tax_included, total_minor, shipping_address, payment_method, created_at)
         values ($1, $2, gen_random_uuid()::text, $3, 'EUR', 1000, 490, 238, true, 1490, '{\"name\": \"Ada\"}',
             'card', now() - make_interval(mins => $4))",
    )
    .bind(id)
    .bind(customer)
    .bind(status)
    .bind(minutes)
    .execute(pool)
    .await
    .unwrap();
    id
}

/// What happened to it, each statement with the order as its first parameter.
const HAPPENED: [&str; 9] = [
    "insert into order_lines (order_id, sku, product_id, seller_id, title, quantity, unit_price_minor, line_total_minor)
     values ($1, 'MUG', gen_random_uuid(), gen_random_uuid(), 'Mug', 2, 500, 1000)",
    "insert into payment_attempts (id, order_id, number, method, amount_minor, currency, provider_key, state,
         provider_payment_id, client_secret)
     values (gen_random_uuid(), $1, 1, 'card', 1490, 'EUR', 'attempt-1', 'captured', 'pi_1', 'pi_1_secret')",
    "insert into payment_events (id, order_id, kind, amount_minor, reference)
     values (gen_random_uuid(), $1, 'started', 1490, 'a')",
    "insert into payment_events (id, order_id, kind, amount_minor, reference)
     values (gen_random_uuid(), $1, 'captured', 1490, 'a')",
    "update orders set status = 'paid', captured_minor = 1490 where id = $1",
    "insert into payment_events (id, order_id, kind, amount_minor, reference)
     values (gen_random_uuid(), $1, 'refunded', 490, 'r')",
    "insert into refunds (id, order_id, amount_minor, reason, state, created_by)
     select gen_random_uuid(), id, 490, 'late', 'succeeded', customer_id from orders where id = $1",
    "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload)
     values (gen_random_uuid(), 'mail', 'order_paid', 1, $1, 1, '{}')",
    "insert into failed_events (id, queue, type, aggregate_id, body, payload_excerpt, error_class, error, attempts,
         first_failed_at, last_failed_at, last_message_id, status)
     values (gen_random_uuid(), 'mail', 'order_paid', $1, '', '', 'defect', 'it broke', 5, now(), now(), 'm',
         'parked')",
];

#[tokio::test]
async fn all_that_happened_to_an_order_is_read_in_its_order() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let ada = customer(pool).await;
    let id = order(pool, ada, (OrderStatus::PaymentPending, 5)).await;
    let other = order(pool, ada, (OrderStatus::Rejected, 5)).await;
    for statement in HAPPENED {
        let done = sqlx::query(statement).bind(id).execute(pool).await;
        assert_eq!(done.unwrap().rows_affected(), 1, "{statement}");
    }
    let mut ops = database.connect_as("ops").await;
    let trail = order_trail::load(&mut ops, id).await.unwrap().unwrap();
    assert_eq!((trail.facts.id, trail.facts.customer_id), (id, ada));
    assert_eq!(trail.facts.status, OrderStatus::Paid);
    assert_eq!(trail.facts.currency.as_str(), "EUR");
    assert_eq!(
        (trail.facts.total_minor, trail.facts.captured_minor),
        (1490, 1490)
    );
    assert_eq!(
        (trail.lines[0].sku.as_str(), trail.lines[0].quantity),
        ("MUG", 2)
    );
    let history: Vec<_> = trail
        .history
        .iter()
        .map(|it| (it.sequence, it.status))
        .collect();
    assert_eq!(
        history,
        [(1, OrderStatus::PaymentPending), (2, OrderStatus::Paid)]
    );
    let money: Vec<_> = trail
        .payments
        .iter()
        .map(|it| (it.kind, it.amount_minor))
        .collect();
    assert_eq!(
        money,
        [
            (PaymentEventKind::Started, 1490),
            (PaymentEventKind::Captured, 1490),
            (PaymentEventKind::Refunded, 490)
        ]
    );
    assert_eq!(trail.payment_status(), PaymentStatus::PartiallyRefunded);
    assert_eq!(trail.attempts[0].state, AttemptState::Captured);
    assert_eq!(
        trail.attempts[0].provider_payment_id.as_deref(),
        Some("pi_1")
    );
    assert_eq!(trail.refunds[0].reason, "late");
    assert_eq!(
        (trail.events[0].type_.as_str(), trail.events[0].consumed_at),
        ("order_paid", None)
    );
    assert_eq!(trail.dead_letters.len(), 1);
    assert_eq!(trail.dead_letters[0].status, DeadLetterStatus::Parked);
    let empty = order_trail::load(&mut ops, other).await.unwrap().unwrap();
    assert_eq!(empty.history.len(), 1);
    assert!(empty.lines.is_empty() && empty.payments.is_empty() && empty.attempts.is_empty());
    assert!(empty.refunds.is_empty() && empty.events.is_empty() && empty.dead_letters.is_empty());
    assert_eq!(empty.payment_status(), PaymentStatus::Pending);
    let none = Uuid::now_v7();
    assert!(order_trail::load(&mut ops, none).await.unwrap().is_none());
    assert!(order_trail::exists(&mut ops, id).await.unwrap());
    assert!(!order_trail::exists(&mut ops, none).await.unwrap());
}

#[tokio::test]
async fn orders_are_paged_by_when_they_were_placed() {
    let database = TestDatabase::create().await;
    let pool = database.pool();
    let ada = customer(pool).await;
    let mut placed = Vec::new();
    for (minutes, status) in (1..).zip([
        OrderStatus::Paid,
        OrderStatus::Rejected,
        OrderStatus::Paid,
        OrderStatus::Paid,
        OrderStatus::Received,
    ]) {
        placed.push(order(pool, ada, (status, minutes)).await);
    }
    let captured = HAPPENED
        .iter()
        .find(|it| it.contains("'captured', 1490, 'a'"));
    let _ = sqlx::query(captured.unwrap())
        .bind(placed[0])
        .execute(pool)
        .await
        .unwrap();
    let ids = |listed: &[order_trail::Listed]| listed.iter().map(|it| it.id).collect::<Vec<_>>();
    // One more than the page holds.
    let page = order_trail::newest(pool, None, 2).await.unwrap();
    assert_eq!(ids(&page), placed[..3]);
    assert_eq!(page[0].payment_status, PaymentStatus::Captured);
    assert_eq!(page[2].payment_status, PaymentStatus::Pending);
    assert_eq!(page[0].total.to_string(), "14.90 EUR");
    let after = Some(page[1].position());
    let rest = order_trail::newest(pool, after, 2).await.unwrap();
    assert_eq!(ids(&rest), placed[2..]);
    let paid = |after| order_trail::newest_with_status(pool, OrderStatus::Paid, after, 1);
    let first = paid(None).await.unwrap();
    assert_eq!(ids(&first), [placed[0], placed[2]]);
    let second = paid(Some(first[0].position())).await.unwrap();
    assert_eq!(ids(&second), [placed[2], placed[3]]);
    let last = paid(Some(second[1].position())).await.unwrap();
    assert!(last.is_empty());
}

#[tokio::test]
async fn console_cannot_read_what_it_need_not_know() {
    let database = TestDatabase::create().await;
    for (table, column) in [
        ("orders", "shipping_address"),
        ("orders", "payment_last4"),
        ("payment_attempts", "client_secret"),
        ("payment_attempts", "provider_method_id"),
        ("outbox", "payload"),
        ("users", "email"),
        ("users", "name"),
    ] {
        let may: bool = sqlx::query_scalar("select has_column_privilege('ops', $1, $2, 'select')")
            .bind(table)
            .bind(column)
            .fetch_one(database.pool())
            .await
            .unwrap();
        assert!(!may, "{table}.{column}");
    }
}
