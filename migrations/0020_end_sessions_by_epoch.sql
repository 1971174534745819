-- Counted up by whatever ends an account's sessions: a new password, another role. A session that
-- was begun before is over at its next refresh, also one that the session store was not told of.
alter table users add column session_epoch integer not null default 0;
