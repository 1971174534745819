-- The last number given to an aggregate's events in one queue, so that its consumer sees no gaps.
-- `aggregates` stays: its row is what writers of one aggregate's events wait for, and the release
-- before numbers by it. Its number is never below any in here, so that the two never give the same.
create table aggregate_queues (
    aggregate_id uuid not null references aggregates (id),
    queue text not null,
    sequence bigint not null,
    primary key (aggregate_id, queue),
    constraint aggregate_queues_sequence_positive check (sequence > 0)
);

insert into aggregate_queues (aggregate_id, queue, sequence)
select aggregate_id, queue, max(sequence) from outbox group by aggregate_id, queue;

grant select, insert, update on aggregate_queues to auth, products, checkout, order_worker, sweeper;
