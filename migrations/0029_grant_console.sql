-- The console shows what happened to an order. It sees no address, no card, no secret of a payment,
-- and no payload of an event.
grant select (id, customer_id, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor, tax_included,
    total_minor, payment_method, reserved_until, updated_at) on orders to ops;
grant select (order_id, sku, title, quantity, fulfilled_quantity, unit_price_minor, line_total_minor)
    on order_lines to ops;
grant select on order_history, payment_events to ops;
grant select (order_id, number, method, amount_minor, provider_key, provider_payment_id, state, leased_until,
    created_at, updated_at) on payment_attempts to ops;
grant select (id, order_id, amount_minor, reason, state, provider_refund_id, created_by, created_at, updated_at)
    on refunds to ops;
grant select (type, aggregate_id, sequence, occurred_at, published_at, sent_again_at) on outbox to ops;

-- Few orders are in the states that somebody looks for at night, and any state can be looked for. While
-- an index is built its table takes no writes.
create index orders_by_status on orders (status, created_at desc, id desc);
create index failed_events_of_aggregate on failed_events (aggregate_id) where aggregate_id is not null;
