-- version: 1
-- version: 1
-- What people noted of tasks, and the tags that tasks have.

create table {schema}.annotation (
    "position" bigint primary key,
    task_id uuid not null,
    namespace text not null,
    template text not null,
    kind text not null,
    value jsonb,
    actor text not null,
    reason text,
    at timestamptz not null
);

create index annotation_task on {schema}.annotation (task_id, "position");
create index annotation_kind on {schema}.annotation (kind, at);

create table {schema}.tag (
    task_id uuid not null,
    tag text not null,
    namespace text not null,
    template text not null,
    actor text,
    at timestamptz not null,
    primary key (task_id, tag)
);

create index tag_tag on {schema}.tag (tag, at);
