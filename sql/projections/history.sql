-- version: 1
-- version: 1
-- Every task and every attempt at a step, with the times at which things happened by the events.

create table {schema}.task_history (
    task_id uuid primary key,
    namespace text not null,
    template text not null,
    version text not null,
    state text not null,
    priority integer not null,
    correlation_id text not null,
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz
) with (fillfactor = 80);

create index task_history_ended_at on {schema}.task_history (ended_at) where ended_at is not null;

create table {schema}.attempt (
    task_id uuid not null,
    opened bigint not null,
    step text not null,
    attempt integer not null,
    namespace text not null,
    template text not null,
    version text not null,
    enqueued_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    outcome text,
    worker uuid,
    error_class text,
    error_message text,
    category text,
    primary key (task_id, opened)
) with (fillfactor = 80);

comment on table {schema}.attempt is
    'What was tried, and what else became of steps. A row that was never enqueued is an operator''s'
    ' word, or the coordinator''s that it gave the step up.';
comment on column {schema}.attempt.opened is 'the place in the log of the event that began it';

create index attempt_open on {schema}.attempt (task_id, step) where ended_at is null;
create index attempt_ended_at on {schema}.attempt (ended_at) where ended_at is not null;
