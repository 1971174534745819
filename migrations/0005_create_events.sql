-- The last sequence number given to an aggregate's events.
create table aggregates (
    id uuid primary key,
    sequence bigint not null
);

-- One row per event and queue, written in the business transaction.
create table outbox (
    event_id uuid not null,
    queue text not null,
    type text not null,
    version smallint not null,
    aggregate_id uuid not null,
    sequence bigint not null,
    payload jsonb not null,
    occurred_at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    primary key (event_id, queue),
    constraint outbox_sequence_unique unique (aggregate_id, sequence, queue)
);
create index outbox_unpublished on outbox (occurred_at) where published_at is null;

-- Events whose effect a consumer has already had, in the transaction of that effect.
create table inbox (
    consumer text not null,
    event_id uuid not null,
    processed_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

create table audit_log (
    id uuid primary key,
    actor_id uuid not null,
    action text not null,
    subject text not null,
    detail jsonb not null default '{}',
    at timestamptz not null default clock_timestamp()
);
create index audit_log_newest on audit_log (at desc, id desc);
create trigger audit_log_append_only before update or delete on audit_log
    for each row execute function refuse_change();
