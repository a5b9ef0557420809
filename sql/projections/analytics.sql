-- version: 3
-- What happened in each minute, by template; and what is needed to tell how long things took.

create table {schema}.task_minute (
    minute timestamptz not null,
    namespace text not null,
    template text not null,
    version text not null,
    created bigint not null,
    completed bigint not null,
    failed bigint not null,
    cancelled bigint not null,
    resolved bigint not null,
    total_time interval not null,
    longest_time interval not null,
    primary key (minute, namespace, template, version)
) with (fillfactor = 50);

comment on column {schema}.task_minute.total_time is
    'of the tasks that completed in the minute, from their submission to their end';

create table {schema}.step_minute (
    minute timestamptz not null,
    namespace text not null,
    template text not null,
    version text not null,
    step text not null,
    enqueued bigint not null,
    started bigint not null,
    completed bigint not null,
    failed bigint not null,
    timed_out bigint not null,
    lost bigint not null,
    handed_back bigint not null,
    retried bigint not null,
    errored bigint not null,
    cancelled bigint not null,
    runs bigint not null,
    run_time interval not null,
    longest_run interval not null,
    queue_time interval not null,
    longest_queue interval not null,
    primary key (minute, namespace, template, version, step)
) with (fillfactor = 50);

comment on column {schema}.step_minute.failed is 'attempts whose handler raised';
comment on column {schema}.step_minute.retried is 'attempts that were queued and not the first';
comment on column {schema}.step_minute.errored is 'steps that were given up';
comment on column {schema}.step_minute.runs is 'attempts that ended in the minute, however they did';
comment on column {schema}.step_minute.queue_time is 'of the attempts that started in the minute';

create table {schema}.blocked_minute (
    minute timestamptz not null,
    namespace text not null,
    template text not null,
    version text not null,
    reason text not null,
    times bigint not null,
    total_time interval not null,
    longest_time interval not null,
    primary key (minute, namespace, template, version, reason)
) with (fillfactor = 50);

comment on table {schema}.blocked_minute is
    'How long tasks and steps that could have gone on did not, by the reason, in the minute in which'
    ' that ended.';

create table {schema}.known_task (
    task_id uuid primary key,
    namespace text not null,
    template text not null,
    version text not null,
    created_at timestamptz not null,
    start_at timestamptz,
    paused_at timestamptz,
    blocked_at timestamptz,
    resumed_at timestamptz
) with (fillfactor = 90);

comment on table {schema}.known_task is
    'Of every task what its later events do not say again. One that has ended may be opened again.';

create table {schema}.open_step (
    task_id uuid not null,
    step text not null,
    phase text not null,
    since timestamptz not null,
    due_at timestamptz,
    primary key (task_id, step)
) with (fillfactor = 50);

comment on table {schema}.open_step is
    'Steps that are queued, run or wait for a retry. The others have no row.';
