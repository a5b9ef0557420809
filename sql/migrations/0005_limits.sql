-- How much may happen at once or in a time, and what waits for it.

alter table flowledger.template add column paused boolean not null default false;

create table flowledger.slot_key (
    limit_key text primary key,
    in_use integer not null check (in_use > 0)
) with (fillfactor = 50);

comment on table flowledger.slot_key is
    'How many slots of a limit are in use: as many as flowledger.slot has rows of it.';

create table flowledger.slot (
    step_id uuid not null,
    limit_key text not null,
    primary key (step_id, limit_key)
);

comment on table flowledger.slot is
    'Who holds a slot of which limit: every step that has such a limit while it is queued or runs.';

create table flowledger.rate (
    limit_key text primary key,
    expected_at timestamptz not null
) with (fillfactor = 50);

comment on column flowledger.rate.expected_at is
    'when the next step of the key would come if steps came evenly';

create table flowledger.circuit (
    system text primary key,
    revision bigint not null,
    state text not null check (state in ('closed', 'open', 'half_open')),
    failures integer not null,
    openings integer not null,
    open_until timestamptz,
    probes uuid[] not null,
    stream_version bigint not null
);

comment on column flowledger.circuit.revision is 'counts the changes of the row';
comment on column flowledger.circuit.failures is 'in a row, while it is closed';
comment on column flowledger.circuit.openings is 'since it was last closed';
comment on column flowledger.circuit.probes is 'the steps that try whether the system works again';

create table flowledger.held_step (
    step_id uuid primary key,
    task_id uuid not null,
    step text not null,
    kind text not null check (kind in ('slot', 'rate', 'circuit', 'template')),
    limit_key text not null,
    turn double precision not null,
    since timestamptz not null,
    until timestamptz,
    demand jsonb not null
);

comment on table flowledger.held_step is
    'Steps that are ready and were not admitted to the queue. kind and limit_key are what held the'
    ' step when it was last asked about; demand is all that it must be granted.';

create index held_step_task on flowledger.held_step (task_id);
create index held_step_key on flowledger.held_step (limit_key, turn);
