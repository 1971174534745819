-- A dead letter is done with as soon as its consumer has noted the same event in the journal.
grant select (event_id, queue, type, aggregate_id, sequence, consumed_at) on outbox to dlq_replayer;
