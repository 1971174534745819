-- The rotator changes passwords of logins and nothing else. It may not do so by itself: that takes
-- the right to change every role. So a function of the owner does, for the logins of functions only.
do $$
begin
    if not exists (select from pg_roles where rolname = 'key_rotator') then
        begin
            create role key_rotator nologin;
        exception when duplicate_object or unique_violation then
            null; -- Another database of this cluster was migrated at the same moment.
        end;
    end if;
end $$;
grant usage on schema public to key_rotator;
grant select on _sqlx_migrations to key_rotator;

-- A function's login is <role>_a or <role>_b, inherits from that role, and has no right of its own;
-- and the role is a function's: it cannot log in, and sees the version of the schema. The verifier
-- is made by whoever calls, so that no password is ever in a statement, a log or a statistic.
create function set_login_verifier(login text, verifier text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if verifier is null or verifier !~ '^SCRAM-SHA-256\$\d{4,6}:[A-Za-z0-9+/]{16,}={0,2}\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$' then
        raise exception 'not a SCRAM-SHA-256 verifier' using errcode = 'invalid_parameter_value';
    end if;
    if not exists (
        select
        from pg_roles l
        join pg_auth_members m on m.member = l.oid
        join pg_roles g on g.oid = m.roleid
        where l.rolname = login and l.rolname in (g.rolname || '_a', g.rolname || '_b')
            and l.rolcanlogin
            and not (l.rolsuper or l.rolcreaterole or l.rolcreatedb or l.rolreplication or l.rolbypassrls)
            and not (g.rolcanlogin or g.rolsuper or g.rolcreaterole)
            and has_table_privilege(g.oid, 'public._sqlx_migrations', 'select')
    ) then
        raise exception 'not a login of a function' using errcode = 'insufficient_privilege';
    end if;
    execute format('alter role %I password %L', login, verifier);
end $$;
revoke all on function set_login_verifier(text, text) from public;
grant execute on function set_login_verifier(text, text) to key_rotator;
