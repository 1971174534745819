-- Second factors: at most one that is in use and one that waits for its first code. `secret` is
-- sealed under a key that only `auth` may read.
create table totp_enrolments (
    id uuid primary key,
    user_id uuid not null references users (id),
    secret bytea not null,
    confirmed_at timestamptz,
    -- The time steps whose codes were used lately: each code is good once.
    used_steps bigint[] not null default '{}',
    -- Wrong codes in a row, and when the last one came.
    failures integer not null default 0,
    failed_at timestamptz,
    created_at timestamptz not null default now(),
    constraint totp_enrolments_failures_not_negative check (failures >= 0)
);
create unique index totp_enrolments_one_confirmed on totp_enrolments (user_id) where confirmed_at is not null;
create unique index totp_enrolments_one_pending on totp_enrolments (user_id) where confirmed_at is null;

-- For whoever lost the device. Only the SHA-256 of a code is kept; a row goes when its code is used.
create table recovery_codes (
    enrolment_id uuid not null references totp_enrolments (id) on delete cascade,
    code_hash bytea not null,
    primary key (enrolment_id, code_hash)
);

grant select, insert, update, delete on totp_enrolments to auth;
grant select, insert, delete on recovery_codes to auth;
