-- Every projection with its standing, for everyone; with the model that is written with decisions.
-- drop: function flowledger_v1.projection_status(double precision)

create or replace function flowledger_v1.projection_status(patience double precision default 60)
returns table (
    name text, generation integer, version integer, state text, standing text, healthy boolean,
    "position" bigint, head bigint, behind bigint, lag_seconds double precision,
    host text, pid integer, failed_position bigint, failure text, failures integer, parked bigint,
    rate double precision, seconds_left double precision, created_at timestamptz,
    moved_at timestamptz, skipped bigint, code_changed boolean
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select flowledger.require_not_negative('patience', patience::text, patience < 0);

    select * from flowledger.inline_model_status(coalesce(patience, 60), flowledger.fact_topics())
    union all
    select * from flowledger.projection_status(coalesce(patience, 60));
$$;

comment on function flowledger_v1.projection_status(double precision) is
    'Every read model: how far each of its generations is, and why it stands still. state is '
    'serving, building (beside the one that serves), or inline (written with the decisions). '
    'standing is caught_up, running, rebuilding, paused, event_failed (failure says why), no_host '
    '(no process runs it) or stalled: behind, and not moved for longer than the patience, in '
    'seconds. behind counts places of the log, lag_seconds is the age of the oldest event that is '
    'not in the rows, parked counts events that it put aside, '
    'skipped those that an operator had it pass over, code_changed says whether a process had other code '
    'of the same version than that it was built with; rate is in places a second since '
    'created_at. seconds_left is null of one that does not move, or has once caught up.
Example: select name, standing, behind, failure from flowledger_v1.projection_status() where not healthy';
