-- The console shows how much waits for each consumer, and since when.
grant select (occurred_at, published_at) on outbox to ops;

-- And how many dead letters stand where, which is asked every few seconds: read from this alone, not
-- from rows with their bodies. `type` is at most 100 characters, whatever a message says.
create index failed_events_figures on failed_events (queue, type, error_class, status)
    include (first_failed_at, replay_id);
