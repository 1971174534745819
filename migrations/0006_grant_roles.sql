-- One group role per function with the least it needs. Logins inherit from these.
do $$
declare
    function_role text;
begin
    foreach function_role in array array['auth', 'products', 'checkout', 'ops', 'order_worker', 'mailer', 'sweeper'] loop
        if not exists (select from pg_roles where rolname = function_role) then
            begin
                execute format('create role %I nologin', function_role);
            exception when duplicate_object or unique_violation then
                null; -- Another database of this cluster was migrated at the same moment.
            end;
        end if;
        execute format('grant usage on schema public to %I', function_role);
        execute format('grant select on _sqlx_migrations to %I', function_role);
    end loop;
end $$;

grant select, insert, update on users to auth;
-- The mailer makes a token when it sends it, so that none ever waits in a queue.
grant select, update on mail_tokens to auth;
grant insert on mail_tokens to mailer;
grant insert on wallets to auth;
grant select, insert on outbox, aggregates to auth;
grant update on aggregates, outbox to auth;

grant select, insert, update on categories, products, variants, stock, images, idempotency_keys to products;
grant select, insert on search_words to products;
grant delete on images to products;
grant select, insert on stock_adjustments to products;
grant select, insert, update on outbox, aggregates to products;

grant select, insert, update on orders, order_lines, stock_reservations, fulfilments, idempotency_keys,
    shipping_rates, tax_rates, payment_attempts, refunds, wallets, webhook_events,
    outbox, aggregates to checkout, order_worker, sweeper;
grant select, insert on order_history, payment_events, wallet_entries to checkout, order_worker, sweeper;
grant select, update on stock to checkout, order_worker, sweeper;
grant select on products, variants, images, users to checkout, order_worker, sweeper;
grant update (provider_customer_id) on users to checkout;
grant select, insert, delete on payment_methods to checkout;
grant delete on shipping_rates, tax_rates to checkout;
grant select, insert on audit_log to checkout, products, auth;
grant select, insert, delete on inbox to order_worker, mailer, sweeper;
grant delete on outbox, idempotency_keys, mail_tokens to sweeper;
grant select on mail_tokens to sweeper;

grant select on users, orders, order_lines, fulfilments to mailer;
