create extension if not exists pg_trgm;

create table categories (
    id uuid primary key,
    slug text not null,
    title text not null,
    parent_id uuid references categories (id),
    position integer not null default 0,
    constraint categories_slug_unique unique (slug),
    constraint categories_not_own_parent check (parent_id <> id)
);
create index categories_parent on categories (parent_id);

create table products (
    id uuid primary key,
    seller_id uuid not null references users (id),
    slug text not null,
    title text not null,
    description text not null,
    category_id uuid not null references categories (id),
    status text not null,
    version bigint not null default 1,
    -- The lowest variant price, kept here so that lists sort and filter on one index.
    price_from_minor bigint not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    search tsvector generated always as (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', description), 'B')
    ) stored,
    constraint products_slug_unique unique (slug),
    constraint products_status_known check (status in ('draft', 'active', 'archived')),
    constraint products_price_not_negative check (price_from_minor >= 0)
);
create index products_search on products using gin (search);
create index products_title_trigram on products using gin (lower(title) gin_trgm_ops);
create index products_newest on products (created_at desc, id desc) where status = 'active';
create index products_by_price on products (price_from_minor, id) where status = 'active';
create index products_by_name on products (lower(title), id) where status = 'active';
create index products_by_category on products (category_id, created_at desc, id desc) where status = 'active';
create index products_by_seller on products (seller_id);

create table variants (
    sku text primary key,
    product_id uuid not null references products (id),
    title text not null,
    options jsonb not null default '{}',
    price_minor bigint not null,
    position integer not null default 0,
    -- A variant taken off its product is kept, because orders name it.
    removed_at timestamptz,
    constraint variants_price_in_range check (price_minor between 0 and 999999999)
);
create index variants_product on variants (product_id, position);

create table stock (
    sku text primary key references variants (sku),
    on_hand integer not null default 0,
    reserved integer not null default 0,
    constraint stock_available_not_negative check (on_hand - reserved >= 0),
    constraint stock_reserved_not_negative check (reserved >= 0)
);

create table stock_adjustments (
    id uuid primary key,
    sku text not null references variants (sku),
    delta integer not null,
    reason text not null,
    actor_id uuid not null references users (id),
    created_at timestamptz not null default now()
);
create index stock_adjustments_sku on stock_adjustments (sku, created_at);

create table images (
    id uuid primary key,
    product_id uuid not null references products (id),
    object_key text not null,
    content_type text not null,
    byte_size integer not null,
    alt text not null,
    position integer not null default 0,
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    constraint images_object_key_unique unique (object_key)
);
create index images_product on images (product_id, position);
