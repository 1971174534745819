-- Who is having an event's effect at this moment, where that effect is outside of any transaction:
-- a mail on its way. A row in `inbox` still says that the effect was had; the release before knows
-- only that.
create table inbox_leases (
    consumer text not null,
    event_id uuid not null,
    leased_until timestamptz not null,
    primary key (consumer, event_id)
);

grant select, insert, update, delete on inbox_leases to mailer;
