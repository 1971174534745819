create extension if not exists pg_trgm;
create extension if not exists fuzzystrmatch;

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

-- A category cannot be moved below itself. The lock keeps two moves that are
-- each harmless from making a circle together.
create function categories_check_circle() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('categories', 0));
    if exists (
        with recursive above (id, parent_id) as (
            select id, parent_id from categories where id = new.parent_id
            union select c.id, c.parent_id from categories c join above on c.id = above.parent_id
        )
        select from above where id = new.id
    ) then
        raise exception 'a category cannot be below itself'
            using errcode = 'check_violation', constraint = 'categories_no_circle', table = 'categories';
    end if;
    return new;
end $$;
create trigger categories_circle before update of parent_id on categories
    for each row when (new.parent_id is not null) execute function categories_check_circle();

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
    -- Stems find other forms of a word; the words as they stand find what is half typed.
    search tsvector generated always as (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('simple', title), 'A')
        || setweight(to_tsvector('english', description), 'C') || setweight(to_tsvector('simple', description), 'D')
    ) stored,
    constraint products_slug_unique unique (slug),
    constraint products_status_known check (status in ('draft', 'active', 'archived')),
    constraint products_price_not_negative check (price_from_minor >= 0)
);
create index products_search on products using gin (search);
create index products_newest on products (created_at desc, id desc) where status = 'active';
create index products_by_price on products (price_from_minor, id) where status = 'active';
create index products_by_name on products (lower(title), id) where status = 'active';
create index products_by_category on products (category_id, created_at desc, id desc) where status = 'active';
create index products_by_seller on products (seller_id);

-- Every word that a product ever had: what a mistyped word may have meant. Its
-- size is the language's, not the catalogue's, so that a typo costs the same in
-- a large shop. Words in C order, for prefixes.
create table search_words (
    word text collate "C" primary key
);
create index search_words_trigram on search_words using gin (word gin_trgm_ops);
create index search_words_shape on search_words (left(word, 1), length(word));

create function products_collect_words() returns trigger language plpgsql as $$
begin
    -- In order, so that two writers of the same new words do not deadlock.
    insert into search_words (word)
    select distinct lexeme from changed, unnest(tsvector_to_array(changed.search)) as lexeme
    where length(lexeme) <= 64 order by lexeme
    on conflict do nothing;
    return null;
end $$;
create trigger products_words_added after insert on products
    referencing new table as changed for each statement execute function products_collect_words();
create trigger products_words_changed after update on products
    referencing new table as changed for each statement execute function products_collect_words();

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
    constraint stock_reserved_not_negative check (reserved >= 0),
    constraint stock_on_hand_in_range check (on_hand <= 1000000000)
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
    byte_size bigint not null,
    alt text not null,
    position integer not null default 0,
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    constraint images_object_key_unique unique (object_key)
);
create index images_product on images (product_id, position);
