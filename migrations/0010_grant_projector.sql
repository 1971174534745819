-- The projector reads what is shown and what orders are priced by, and changes nothing. The
-- sweeper compares the same with what is kept in S3.
do $$
begin
    if not exists (select from pg_roles where rolname = 'projector') then
        begin
            create role projector nologin;
        exception when duplicate_object or unique_violation then
            null; -- Another database of this cluster was migrated at the same moment.
        end;
    end if;
end $$;
grant usage on schema public to projector;
grant select on _sqlx_migrations, categories, products, variants, stock, images, shipping_rates, tax_rates to projector;
grant select on categories to sweeper;
