-- The outbox is the journal: its rows are kept, and can be sent again. Each says when its consumer
-- handled it, so that a gap is seen and what a queue lost is sent again, once by itself.
alter table outbox
    add column trace_context text,
    add column consumed_at timestamptz,
    add column sent_again_at timestamptz;
-- Before this, nobody wrote down what was handled: all that was published counts as handled.
update outbox set consumed_at = published_at where published_at is not null;
create index outbox_unconsumed on outbox (aggregate_id, queue, sequence) where consumed_at is null;
create index outbox_lost on outbox (published_at) where consumed_at is null and sent_again_at is null;

-- What happened stays as it was written down; what became of it is noted beside it.
create trigger outbox_kept before delete on outbox
    for each row execute function refuse_change();
create trigger outbox_unchanged before update on outbox
    for each row when (
        (old.event_id, old.queue, old.type, old.version, old.aggregate_id, old.sequence, old.payload)
        is distinct from
        (new.event_id, new.queue, new.type, new.version, new.aggregate_id, new.sequence, new.payload)
    ) execute function refuse_change();

-- The first categories and rates came without an event. With these the journal has all that the
-- last-good catalogue is made of.
insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload, published_at, consumed_at)
select gen_random_uuid(), 'catalogue', genesis.type, 1, genesis.id, 1, jsonb_build_object('type', genesis.type), now(), now()
from (values
    ('00000000-0000-8000-8000-0000000ca7e6'::uuid, 'categories_changed'),
    ('00000000-0000-8000-8000-0000000007a7'::uuid, 'rates_changed')
) as genesis (id, type)
where not exists (select from outbox where outbox.aggregate_id = genesis.id);
insert into aggregates (id, sequence) values
    ('00000000-0000-8000-8000-0000000ca7e6', 1), ('00000000-0000-8000-8000-0000000007a7', 1)
on conflict (id) do nothing;
insert into aggregate_queues (aggregate_id, queue, sequence) values
    ('00000000-0000-8000-8000-0000000ca7e6', 'catalogue', 1), ('00000000-0000-8000-8000-0000000007a7', 'catalogue', 1)
on conflict (aggregate_id, queue) do nothing;

-- Consumers note what they handled.
grant select (event_id, queue, aggregate_id, sequence, consumed_at), update (consumed_at) on outbox to mailer, projector;
-- Whoever discards a dead letter notes that nobody will handle it.
grant select (event_id, queue, consumed_at), update (consumed_at) on outbox to ops;
