-- What is to be done: the queue, who works on it, what falls due, who decides.

create table flowledger.queue (
    step_id uuid primary key,
    task_id uuid not null,
    template_id uuid not null,
    queued bigint generated always as identity,
    stream_version bigint not null,
    turn double precision not null,
    worker_id uuid,
    attempt integer not null,
    resets integer not null,
    cancelling boolean not null default false,
    step text not null,
    correlation_id text
) with (
    -- A claim rewrites the row. On the same page that costs half the WAL, and rows do not stay long.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

comment on column flowledger.queue.correlation_id is 'null where it is the task''s id';
comment on column flowledger.queue.turn is
    'the time at which it was queued, in seconds since 1970, less what its priority is worth';

create index queue_claimable on flowledger.queue (turn, queued) where worker_id is null;

create table flowledger.worker (
    worker_id uuid primary key,
    lease_until timestamptz not null,
    started_at timestamptz not null,
    host text not null,
    pid integer not null
);

create table flowledger.timer (
    step_id uuid primary key,
    task_id uuid not null,
    step text not null,
    kind text not null check (
        kind in ('retry', 'timeout', 'start_timeout', 'start', 'deadline')
    ),
    due_at timestamptz not null
);

comment on table flowledger.timer is
    'A timer of a task as a whole has the task''s id for its step, and no name.';

create index timer_due on flowledger.timer (due_at);

create table flowledger.shard (
    shard integer primary key,
    position bigint not null default 0,
    epoch bigint not null default 0,
    leader uuid,
    lease_until timestamptz
);

insert into flowledger.shard (shard) values (0);

create table flowledger.identity (
    identity text primary key,
    task_id uuid not null
);

create table flowledger.submission (
    submission bigint generated always as identity primary key,
    task_id uuid not null unique,
    encoding smallint not null,
    topic text not null,
    state bytea not null
);
