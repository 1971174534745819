-- Who moved a kill switch or a breaker is recorded like everything else that an admin does.
grant select, insert on audit_log to ops;
