-- Closed accounts that something personal may be left of: addresses of orders that are not finished,
-- cards at the payment provider. The sweeper looks again at `due_at` until nothing is.
create table erasures (
    user_id uuid primary key references users (id),
    requested_at timestamptz not null default now(),
    due_at timestamptz not null default now()
);
create index erasures_due on erasures (due_at);

grant insert on erasures to auth;
grant select, update, delete on erasures to sweeper;

-- Erasing what is finished happens in the request itself.
grant select (customer_id, status, shipping_address, updated_at), update (shipping_address) on orders to auth;
grant select (caller_id, body), update (body) on idempotency_keys to auth;
grant select (user_id), delete on payment_methods to auth;
grant delete on payment_methods to sweeper;
grant update (provider_customer_id) on users to sweeper;
-- Whoever still sells cannot go.
grant select (seller_id, status) on products to auth;
