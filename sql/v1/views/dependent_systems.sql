-- The outside systems that steps depend on, and how each fared.

create or replace view flowledger_v1.dependent_systems as
select
    s.system, s.state, s.openings, s.failures,
    flowledger.readable_time(s.opened_at) as opened_at,
    flowledger.readable_time(s.open_until) as open_until,
    flowledger.readable_time(s.closed_at) as closed_at,
    extract(epoch from s.shut_time)::double precision as shut_seconds,
    d.steps,
    o.position as as_of_position, o.at as as_of
from flowledger_systems.system as s
left join lateral (
    select array_agg(
        p.namespace || '/' || p.template || '@' || p.version || ' ' || p.step
        order by p.namespace, p.template, p.version, p.step
    ) as steps
    from flowledger_systems.dependent_step as p
    where p.system = s.system
) as d on true
left join flowledger.projection_as_of as o on o.name = 'flowledger_systems';

comment on view flowledger_v1.dependent_systems is
    'The outside systems that steps of registered templates depend on, and what became of their '
    'circuits. Read from the projection flowledger_systems: '
    'where there is no row, projection_freshness(''flowledger_systems'') says how old that is.
Example: select system, state, openings, steps from flowledger_v1.dependent_systems where state <> ''closed''';
comment on column flowledger_v1.dependent_systems.system is 'The name of the system.';
comment on column flowledger_v1.dependent_systems.state is 'Of its circuit: closed, open, half_open.';
comment on column flowledger_v1.dependent_systems.openings is 'How often the circuit opened.';
comment on column flowledger_v1.dependent_systems.failures is
    'How many attempts in a row failed when it opened, added up.';
comment on column flowledger_v1.dependent_systems.opened_at is 'When it opened last.';
comment on column flowledger_v1.dependent_systems.open_until is
    'Until when no step of it is queued, while it is open.';
comment on column flowledger_v1.dependent_systems.closed_at is 'When it closed last.';
comment on column flowledger_v1.dependent_systems.shut_seconds is
    'For how long it was not closed, up to when it last closed.';
comment on column flowledger_v1.dependent_systems.steps is
    'The steps that depend on it, as namespace/template@version step.';
comment on column flowledger_v1.dependent_systems.as_of_position is
    'How far the log has been read into this view; null: nothing of it.';
comment on column flowledger_v1.dependent_systems.as_of is
    'When the last event up to there was recorded: what happened later is not here yet.';
