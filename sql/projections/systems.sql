-- version: 1
-- version: 1
-- The outside systems that steps depend on, and how each of them fared.

create table {schema}.system (
    system text primary key,
    state text not null,
    openings bigint not null,
    failures bigint not null,
    opened_at timestamptz,
    open_until timestamptz,
    closed_at timestamptz,
    shut_since timestamptz,
    shut_time interval not null
);

comment on column {schema}.system.openings is 'how often its circuit opened, all in all';
comment on column {schema}.system.failures is 'attempts that failed in a row and opened it, all in all';
comment on column {schema}.system.shut_since is 'since when it has not been closed';
comment on column {schema}.system.shut_time is 'for how long it was not, up to when it last closed';

create table {schema}.dependent_step (
    system text not null,
    namespace text not null,
    template text not null,
    version text not null,
    step text not null,
    primary key (system, namespace, template, version, step)
);
