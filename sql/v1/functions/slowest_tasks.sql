-- drop: function flowledger_v1.slowest_tasks(interval, integer, text, text, text)
-- The tasks that took longest. Reads what ended in that time, by an index.

create or replace function flowledger_v1.slowest_tasks(
    since interval default '1 day', most integer default 10,
    of_namespace text default null, of_template text default null, of_version text default null
)
returns table (
    task_id uuid, namespace text, template text, version text, state text,
    created_at timestamptz, started_at timestamptz, ended_at timestamptz,
    task_seconds double precision,
    as_of_position bigint, as_of timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known record;
begin
    perform flowledger.require_not_null('since', since is not null);
    perform flowledger.require_not_negative('since', since::text, since < '0');
    perform flowledger.require_not_null('most', most is not null);
    perform flowledger.require_not_negative('most', most::text, most < 0);
    perform flowledger.require_known_template(of_namespace, of_template, of_version);

    select a.position, a.at into v_known from flowledger.projection_freshness('flowledger_history') as a;

    return query
    select
        t.task_id, t.namespace, t.template, t.version, t.state,
        t.created_at, t.started_at, t.ended_at,
        extract(epoch from t.ended_at - t.created_at)::double precision,
        v_known.position, v_known.at
    from flowledger_history.task_history as t
    where t.ended_at >= flowledger.time_ago(since)
        and (of_namespace is null or t.namespace = of_namespace)
        and (of_template is null or t.template = of_template)
        and (of_version is null or t.version = of_version)
    order by t.ended_at - t.created_at desc, t.task_id
    limit most;
end
$$;

comment on function flowledger_v1.slowest_tasks(interval, integer, text, text, text) is
    'The tasks that took longest from their submission to their end, of those that ended in the '
    'time. Read from the projection flowledger_history, '
    'as_of a time and a position of the log.
Example: select task_id, template, task_seconds from flowledger_v1.slowest_tasks(''1 hour'')';
