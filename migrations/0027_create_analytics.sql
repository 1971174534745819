-- What the projector makes of what people do and buy. All of it can be lost and comes back by itself.

-- How much a product is looked at lately: the logarithm (base 2) of its points, of which each loses
-- half of its worth a day, as of 1970. So all fade alike, and nothing has to be computed again.
create table product_heat (
    product_id uuid primary key references products (id),
    heat double precision not null
);
create index product_heat_hottest on product_heat (heat desc, product_id);

-- What was bought together with a product, most often first.
create table recommendations (
    product_id uuid primary key,
    also_bought uuid[] not null
);
create index order_lines_product on order_lines (product_id, order_id);

-- Who was there lately: a hash of the browser's own name for a session, nothing about a person.
create table visitors (
    id uuid primary key,
    -- Stands for so many, because the others were left out.
    weight integer not null,
    seen_at timestamptz not null,
    -- When something was put into a cart.
    added_at timestamptz,
    constraint visitors_weight_positive check (weight > 0)
);
create index visitors_seen on visitors (seen_at);

-- Reported events are told apart by their ids for two days.
create index inbox_reports on inbox (processed_at) where consumer = 'projector';

grant select, insert, update on product_heat, recommendations, visitors to projector;
grant select, insert on inbox to projector;
grant select (id, status) on orders to projector;
grant select (order_id, product_id) on order_lines to projector;
grant select on product_heat, recommendations to products;
grant select on product_heat to sweeper;
grant select, delete on visitors to sweeper;
grant select on visitors to ops;
grant select (status, created_at, captured_minor, refunded_minor) on orders to ops;
