-- The console shows how much waits for each consumer, and since when.
grant select (occurred_at, published_at) on outbox to ops;
