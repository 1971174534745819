-- The scheduled jobs, each with the lease of the run that is at it. A job of a later release that has
-- no row yet gets one with its first lease.
create table jobs (
    name text primary key,
    run_id uuid,
    -- Until then nobody else runs it; after that the lease is over, whatever became of its holder.
    leased_until timestamptz,
    last_started_at timestamptz,
    -- One that never succeeded counts from when it became known.
    last_succeeded_at timestamptz not null default now(),
    constraint jobs_lease_whole check ((run_id is null) = (leased_until is null))
);
insert into jobs (name) values
    ('intents'), ('payments'), ('refunds'), ('reservations'), ('reconciliation'), ('closed_accounts'), ('reports'),
    ('expiry'), ('lost_events'), ('outbox'), ('trending'), ('catalogue'), ('replays'), ('parked'), ('dead_letters')
on conflict (name) do nothing;

-- Every run, from its start. One without an outcome is under way, or ended without a word.
create table job_runs (
    id uuid primary key,
    job text not null references jobs (name),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    outcome text,
    count bigint,
    error text,
    constraint job_runs_outcome_known check (outcome in ('done', 'not_due', 'failed')),
    constraint job_runs_outcome_at_the_end check ((outcome is null) = (finished_at is null)),
    constraint job_runs_count_when_done check ((count is not null) = (outcome is not distinct from 'done')),
    constraint job_runs_error_when_failed check ((error is not null) = (outcome is not distinct from 'failed'))
);
create index job_runs_latest on job_runs (job, started_at desc, id desc);
create index job_runs_age on job_runs (started_at);

-- What became of a run. Without an outcome it is under way until its lease ends, that of a job that has
-- no lease for itself for as long as it may take; or it ended without a word.
create function job_run_outcome(run job_runs, job jobs, longest interval) returns text
    language sql stable as $$
    select case when run.outcome is not null then run.outcome
        when run.id = job.run_id and greatest(job.leased_until, case when job.leased_until = run.started_at
            then run.started_at + longest end) > now() then 'running'
        else 'lost' end
$$;

grant select, insert, update on jobs, job_runs to sweeper, dlq_replayer;
grant delete on job_runs to sweeper;
grant select on jobs, job_runs to ops;

-- What is forgotten is found from its oldest end. While an index is built its table takes no writes.
create index mail_tokens_expiry on mail_tokens (expires_at);
create index webhook_events_applied on webhook_events (applied_at) where applied_at is not null;
grant delete on webhook_events to sweeper;
