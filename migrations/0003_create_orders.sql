create table orders (
    id uuid primary key,
    customer_id uuid not null references users (id),
    idempotency_key text not null,
    status text not null,
    currency char(3) not null,
    subtotal_minor bigint not null,
    discount_minor bigint not null default 0,
    shipping_minor bigint not null,
    tax_minor bigint not null,
    -- Whether the tax is part of the prices or comes on top of them.
    tax_included boolean not null,
    total_minor bigint not null,
    captured_minor bigint not null default 0,
    refunded_minor bigint not null default 0,
    shipping_address jsonb not null,
    payment_method text not null,
    payment_last4 text,
    -- Set while a reservation may still run out; cleared once money has moved.
    reserved_until timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint orders_customer_key_unique unique (customer_id, idempotency_key),
    constraint orders_status_known check (status in (
        'received', 'payment_pending', 'payment_unknown', 'payment_failed', 'paid',
        'fulfilled', 'delivered', 'cancelled', 'rejected', 'refunded')),
    constraint orders_total_adds_up check (
        total_minor = subtotal_minor - discount_minor + shipping_minor
            + case when tax_included then 0 else tax_minor end),
    constraint orders_amounts_not_negative check (
        subtotal_minor >= 0 and discount_minor >= 0 and shipping_minor >= 0 and tax_minor >= 0 and total_minor >= 0),
    constraint orders_captured_at_most_total check (captured_minor in (0, total_minor)),
    constraint orders_refunded_at_most_captured check (refunded_minor between 0 and captured_minor),
    constraint orders_payment_method_known check (payment_method in ('card', 'wallet'))
);
create index orders_customer on orders (customer_id, created_at desc, id desc);
create index orders_newest on orders (created_at desc, id desc);
create index orders_reserved on orders (reserved_until) where reserved_until is not null;

create table order_lines (
    order_id uuid not null references orders (id),
    sku text not null,
    product_id uuid not null,
    seller_id uuid not null,
    title text not null,
    quantity integer not null,
    fulfilled_quantity integer not null default 0,
    unit_price_minor bigint not null,
    line_total_minor bigint not null,
    primary key (order_id, sku),
    constraint order_lines_quantity_positive check (quantity > 0),
    constraint order_lines_fulfilled_at_most_ordered check (fulfilled_quantity between 0 and quantity),
    constraint order_lines_total_adds_up check (line_total_minor = quantity * unit_price_minor)
);
create index order_lines_seller on order_lines (seller_id, order_id);

create table order_history (
    order_id uuid not null references orders (id),
    sequence integer not null,
    status text not null,
    at timestamptz not null default clock_timestamp(),
    primary key (order_id, sequence)
);

-- The order state machine: what is not listed here cannot be stored.
create function orders_check_transition() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.status <> old.status and (old.status, new.status) not in (
        ('received', 'payment_pending'), ('received', 'rejected'), ('received', 'cancelled'),
        ('payment_pending', 'paid'), ('payment_pending', 'payment_unknown'),
        ('payment_pending', 'payment_failed'), ('payment_pending', 'cancelled'),
        ('payment_unknown', 'paid'), ('payment_unknown', 'payment_failed'), ('payment_unknown', 'cancelled'),
        ('payment_unknown', 'payment_pending'),
        ('paid', 'fulfilled'), ('paid', 'cancelled'), ('paid', 'refunded'),
        ('fulfilled', 'delivered'), ('fulfilled', 'refunded'), ('delivered', 'refunded')
    ) then
        raise exception 'an order cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'orders_transition_legal', table = 'orders';
    end if;
    return new;
end $$;
create trigger orders_transition before update of status on orders
    for each row execute function orders_check_transition();

-- Every status an order had is recorded by the database itself.
create function orders_record_history() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or new.status <> old.status then
        insert into order_history (order_id, sequence, status)
        select new.id, coalesce(max(sequence), 0) + 1, new.status from order_history where order_id = new.id;
    end if;
    return null;
end $$;
create trigger orders_history after insert or update of status on orders
    for each row execute function orders_record_history();

create table stock_reservations (
    order_id uuid not null references orders (id),
    sku text not null references stock (sku),
    quantity integer not null,
    state text not null default 'held',
    primary key (order_id, sku),
    constraint stock_reservations_quantity_positive check (quantity > 0),
    constraint stock_reservations_state_known check (state in ('held', 'sold', 'released'))
);

create table fulfilments (
    id uuid primary key,
    order_id uuid not null references orders (id),
    carrier text not null,
    tracking_number text not null,
    lines jsonb not null,
    created_by uuid not null references users (id),
    created_at timestamptz not null default now()
);
create index fulfilments_order on fulfilments (order_id);

-- Answers to requests that carry an Idempotency-Key, kept per caller and route.
create table idempotency_keys (
    caller_id uuid not null,
    route text not null,
    key text not null,
    fingerprint bytea not null,
    -- While the first attempt runs: who runs it, and until when nobody else may.
    owner uuid not null,
    leased_until timestamptz not null,
    status smallint,
    body bytea,
    degraded text,
    created_at timestamptz not null default now(),
    primary key (caller_id, route, key),
    constraint idempotency_keys_answer_whole check ((status is null) = (body is null))
);
create index idempotency_keys_age on idempotency_keys (created_at) where route <> 'POST /checkout';

create table shipping_rates (
    -- An ISO 3166-1 alpha-2 code, or ** for every country without a row of its own.
    country char(2) primary key,
    amount_minor bigint not null,
    -- Orders from this subtotal on ship free.
    free_from_minor bigint,
    constraint shipping_rates_not_negative check (amount_minor >= 0 and free_from_minor >= 0)
);

create table tax_rates (
    country char(2) primary key,
    -- Parts per million: 190000 is 19 %.
    rate_ppm integer not null,
    included boolean not null,
    constraint tax_rates_in_range check (rate_ppm between 0 and 1000000)
);
