-- How far payments were compared with the provider's own list. One row.
create table reconciliation (
    only_row boolean primary key default true,
    -- Everything that the provider was asked to charge before this was compared.
    compared_until timestamptz not null,
    ran_at timestamptz not null,
    constraint reconciliation_one_row check (only_row)
);
insert into reconciliation (compared_until, ran_at) values (now(), '-infinity');
grant select, update on reconciliation to sweeper;
create index payment_events_newest on payment_events (at);
