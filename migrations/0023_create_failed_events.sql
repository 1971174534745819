-- Messages that their consumers gave up, moved here from the queues of dead letters. Its id is made
-- from queue and body, so that the same message is one row however often it dies. The body is kept
-- byte for byte: it may be anything, and no event at all.
create table failed_events (
    id uuid primary key,
    queue text not null,
    event_id uuid,
    type text,
    aggregate_id uuid,
    -- Its place among the aggregate's events in the queue; null when it has none.
    sequence bigint,
    body bytea not null,
    payload_excerpt text not null,
    error_class text not null,
    error text not null,
    attempts integer not null,
    first_failed_at timestamptz not null,
    last_failed_at timestamptz not null,
    -- SQS delivers at least once: the message that was counted last.
    last_message_id text not null,
    status text not null,
    -- When it is replayed; while it is replaying, when it is sent again for want of an answer.
    next_attempt_at timestamptz,
    -- Since somebody last asked for it, or since it died first.
    replays integer not null default 0,
    replay_id uuid,
    resolved_at timestamptz,
    resolved_by uuid,
    reason text,
    constraint failed_events_status_known
        check (status in ('waiting', 'replaying', 'parked', 'replayed', 'discarded')),
    constraint failed_events_attempts_positive check (attempts > 0),
    constraint failed_events_due_while_open
        check ((status in ('waiting', 'replaying')) = (next_attempt_at is not null)),
    constraint failed_events_resolved_at_the_end
        check ((status in ('replayed', 'discarded')) = (resolved_at is not null)),
    constraint failed_events_discarded_by_somebody
        check (status <> 'discarded' or (resolved_by is not null and reason is not null))
);
create index failed_events_due on failed_events (next_attempt_at) where status in ('waiting', 'replaying');
create index failed_events_in_order on failed_events (queue, aggregate_id, sequence)
    where status in ('waiting', 'replaying');
create index failed_events_newest on failed_events (last_failed_at desc, id desc);
create index failed_events_open on failed_events (first_failed_at) where status in ('waiting', 'parked');
create index failed_events_of_event on failed_events (queue, event_id);
create index failed_events_of_replay on failed_events (replay_id) where replay_id is not null;
create index failed_events_resolved on failed_events (resolved_at) where resolved_at is not null;

do $$
begin
    if not exists (select from pg_roles where rolname = 'dlq_replayer') then
        begin
            create role dlq_replayer nologin;
        exception when duplicate_object or unique_violation then
            null; -- Another database of this cluster was migrated at the same moment.
        end;
    end if;
end $$;
grant usage on schema public to dlq_replayer;
grant select on _sqlx_migrations to dlq_replayer;
grant select, insert, update, delete on failed_events to dlq_replayer;

-- A consumer notes that what was sent again has been processed. It sees neither body nor error.
grant select (id, status), update (status, next_attempt_at, resolved_at) on failed_events
    to order_worker, mailer, projector;

grant select on failed_events to ops;
grant update (status, next_attempt_at, replays, replay_id, resolved_at, resolved_by, reason) on failed_events to ops;
