-- What the coordinator keeps beside the log, in its own transactions. All of it can be rebuilt.

create table flowledger.template (
    template_id uuid primary key,
    namespace text not null,
    name text not null,
    version text not null,
    definition_hash text not null,
    definition jsonb not null,
    registered_at timestamptz not null,
    unique (namespace, name, version)
);

create table flowledger.task (
    task_id uuid primary key,
    template_id uuid not null,
    namespace text not null,
    template text not null,
    version text not null,
    state text not null,
    stream_version bigint not null,
    paused boolean not null default false,
    priority integer not null,
    correlation_id text not null,
    created_at timestamptz not null,
    ended_at timestamptz
) with (fillfactor = 80);

create index task_open on flowledger.task (task_id) where ended_at is null;

create table flowledger.step (
    task_id uuid not null,
    step text not null,
    state text not null,
    attempt integer not null,
    stream_version bigint not null,
    due_at timestamptz,
    primary key (task_id, step)
) with (fillfactor = 70);

comment on table flowledger.step is
    'Step readiness. A step without a row is pending: its dependencies are not complete.';
