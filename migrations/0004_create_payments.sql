-- One try to pay for one order. `provider_key` is the Idempotency-Key of every
-- request that this attempt makes at the provider.
create table payment_attempts (
    id uuid primary key,
    order_id uuid not null references orders (id),
    number integer not null,
    method text not null,
    amount_minor bigint not null,
    currency char(3) not null,
    provider_key text not null,
    provider_method_id text,
    provider_payment_id text,
    client_secret text,
    state text not null default 'started',
    -- Whoever charges holds this lease; without an outcome at its end, the outcome is unknown.
    leased_until timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint payment_attempts_number_unique unique (order_id, number),
    constraint payment_attempts_provider_key_unique unique (provider_key),
    constraint payment_attempts_provider_payment_unique unique (provider_payment_id),
    constraint payment_attempts_method_known check (method in ('card', 'wallet')),
    -- pending: proven not charged; started: being charged; unknown: it may have been charged.
    constraint payment_attempts_state_known check (state in (
        'pending', 'started', 'requires_action', 'unknown', 'captured', 'declined', 'cancelled'))
);
-- At most one attempt of an order may end in a charge.
create unique index payment_attempts_one_open on payment_attempts (order_id)
    where state in ('pending', 'started', 'requires_action', 'unknown', 'captured');
create index payment_attempts_unsettled on payment_attempts (updated_at) where state in ('pending', 'started', 'unknown');

-- The truth about money: append-only, a payment's status is a fold of it.
create table payment_events (
    id uuid primary key,
    order_id uuid not null references orders (id),
    kind text not null,
    amount_minor bigint not null,
    -- The attempt or the refund that it happened to.
    reference text not null,
    at timestamptz not null default clock_timestamp(),
    constraint payment_events_kind_known check (kind in (
        'started', 'authentication_required', 'unknown', 'captured', 'declined', 'cancelled',
        'refund_requested', 'refunded', 'refund_failed')),
    constraint payment_events_once unique (order_id, kind, reference)
);
create index payment_events_order on payment_events (order_id, at);

create table refunds (
    id uuid primary key,
    order_id uuid not null references orders (id),
    amount_minor bigint not null,
    reason text not null,
    state text not null default 'pending',
    provider_refund_id text,
    created_by uuid not null references users (id),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint refunds_amount_positive check (amount_minor > 0),
    constraint refunds_state_known check (state in ('pending', 'succeeded', 'failed')),
    constraint refunds_provider_refund_unique unique (provider_refund_id)
);
create index refunds_order on refunds (order_id);
create index refunds_pending on refunds (created_at) where state = 'pending';

create table wallets (
    id uuid primary key,
    user_id uuid not null references users (id),
    currency char(3) not null,
    balance_minor bigint not null default 0,
    entries bigint not null default 0,
    constraint wallets_user_unique unique (user_id),
    constraint wallets_balance_not_negative check (balance_minor >= 0)
);

-- Append-only. A reference makes an entry unrepeatable.
create table wallet_entries (
    id uuid primary key,
    wallet_id uuid not null references wallets (id),
    sequence bigint not null,
    kind text not null,
    amount_minor bigint not null,
    balance_after_minor bigint not null,
    order_id uuid references orders (id),
    reference text not null,
    reason text not null default '',
    created_by uuid,
    created_at timestamptz not null default now(),
    constraint wallet_entries_sequence_unique unique (wallet_id, sequence),
    constraint wallet_entries_reference_unique unique (wallet_id, reference),
    constraint wallet_entries_kind_known check (kind in ('credit', 'payment', 'refund')),
    constraint wallet_entries_balance_not_negative check (balance_after_minor >= 0)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger wallet_entries_append_only before update or delete on wallet_entries
    for each row execute function refuse_change();
create trigger payment_events_append_only before update or delete on payment_events
    for each row execute function refuse_change();
create trigger order_history_append_only before update or delete on order_history
    for each row execute function refuse_change();

create table payment_methods (
    id uuid primary key,
    user_id uuid not null references users (id),
    provider_method_id text not null,
    brand text not null,
    last4 text not null,
    exp_month smallint not null,
    exp_year smallint not null,
    created_at timestamptz not null default now(),
    constraint payment_methods_provider_method_unique unique (provider_method_id)
);
create index payment_methods_user on payment_methods (user_id, created_at);

-- Webhooks are stored here before they are acknowledged.
create table webhook_events (
    provider_event_id text primary key,
    type text not null,
    payload jsonb not null,
    received_at timestamptz not null default now(),
    applied_at timestamptz
);
create index webhook_events_unapplied on webhook_events (received_at) where applied_at is null;
