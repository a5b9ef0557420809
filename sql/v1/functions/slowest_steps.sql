-- drop: function flowledger_v1.slowest_steps(interval, integer, text, text, text)
-- The attempts that ran longest. Reads what ended in that time, by an index.

create or replace function flowledger_v1.slowest_steps(
    since interval default '1 day', most integer default 10,
    of_namespace text default null, of_template text default null, of_version text default null
)
returns table (
    task_id uuid, step text, attempt integer, namespace text, template text, version text,
    outcome text, started_at timestamptz, ended_at timestamptz,
    run_seconds double precision, queue_seconds double precision,
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
        a.task_id, a.step, a.attempt, a.namespace, a.template, a.version,
        a.outcome, a.started_at, a.ended_at,
        extract(epoch from a.ended_at - a.started_at)::double precision,
        extract(epoch from a.started_at - a.enqueued_at)::double precision,
        v_known.position, v_known.at
    from flowledger_history.attempt as a
    where a.ended_at >= flowledger.time_ago(since)
        and a.started_at is not null
        and (of_namespace is null or a.namespace = of_namespace)
        and (of_template is null or a.template = of_template)
        and (of_version is null or a.version = of_version)
    order by a.ended_at - a.started_at desc, a.opened
    limit most;
end
$$;

comment on function flowledger_v1.slowest_steps(interval, integer, text, text, text) is
    'The attempts at steps that ran longest, of those that ended in the time. outcome says how: '
    'completed, failed, timed_out, lease_expired or handed_back. Read from the projection '
    'flowledger_history, '
    'as_of a time and a position of the log.
Example: select step, run_seconds from flowledger_v1.slowest_steps(''1 hour'', 5, of_namespace => ''fulfilment'')';
