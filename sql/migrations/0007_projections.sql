-- The host of projections: which there are, how far each has come, who works on it.

create table flowledger.projection (
    name text not null,
    generation integer not null,
    version integer not null,
    state text not null check (state in ('building', 'serving', 'retired')),
    tables text not null,
    role text,
    "position" bigint not null default 0,
    started_from bigint not null default 0,
    silent_until bigint not null default 0,
    epoch bigint not null default 0,
    leader uuid,
    lease_until timestamptz,
    paused boolean not null default false,
    failed_position bigint,
    failure text,
    failed_at timestamptz,
    failures integer not null default 0,
    created_at timestamptz not null,
    moved_at timestamptz not null,
    primary key (name, generation)
) with (fillfactor = 50);

comment on table flowledger.projection is
    'Each generation of each projection. Its tables are in the schema <name>__<generation>; the'
    ' schema <name> has a view of each table of the generation that serves.';
comment on column flowledger.projection.position is 'every event up to it is in the rows';
comment on column flowledger.projection.silent_until is
    'up to this position nothing is done outside of the tables: an earlier generation did it';
comment on column flowledger.projection.role is
    'which owns the tables, and by which they are written; null: the engine''s own';

create unique index projection_serving on flowledger.projection (name) where state = 'serving';
create unique index projection_building on flowledger.projection (name) where state = 'building';

create table flowledger.projection_host (
    host_id uuid primary key,
    lease_until timestamptz not null,
    started_at timestamptz not null,
    host text not null,
    pid integer not null,
    runs text not null
);

comment on column flowledger.projection_host.runs is
    'the projections that it has the code of, with their versions; hosts of the same share them';

create table flowledger.parked_event (
    name text not null,
    generation integer not null,
    "position" bigint not null,
    task_id uuid,
    error text not null,
    parked_at timestamptz not null,
    wanted text check (wanted in ('retry', 'drop', 'dropped')),
    primary key (name, generation, "position")
);

comment on table flowledger.parked_event is
    'Events that a projection put aside, in the order of the log. wanted is what an operator asked;'
    ' what was dropped stays here, as its rows miss it.';

create table flowledger.projection_rebuild (
    rebuild bigint generated always as identity primary key,
    name text not null,
    task_id uuid,
    template_id uuid,
    state text not null default 'asked'
        check (state in ('asked', 'done', 'cancelled', 'failed')),
    after_task uuid,
    tasks bigint not null default 0,
    error text,
    asked_at timestamptz not null,
    ended_at timestamptz
);

comment on table flowledger.projection_rebuild is
    'Rebuilds of one task or of the tasks of one template, in place. after_task is the last task'
    ' that is done; a process that takes over goes on behind it.';

create index projection_rebuild_open on flowledger.projection_rebuild (name, rebuild)
    where state = 'asked';
