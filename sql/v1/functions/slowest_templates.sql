-- drop: function flowledger_v1.slowest_templates(interval, integer, bigint, text, text, text)
-- The templates whose tasks are slow on average. Reads the minutes of that time.

create or replace function flowledger_v1.slowest_templates(
    since interval default '1 day', most integer default 10, min_executions bigint default 5,
    of_namespace text default null, of_template text default null, of_version text default null
)
returns table (
    namespace text, template text, version text,
    executions bigint, completions bigint, errors bigint, cancellations bigint,
    avg_task_seconds double precision, longest_task_seconds double precision,
    error_rate double precision,
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
    perform flowledger.require_not_null('min_executions', min_executions is not null);
    perform flowledger.require_not_negative('min_executions', min_executions::text, min_executions < 0);
    perform flowledger.require_known_template(of_namespace, of_template, of_version);

    select a.position, a.at into v_known from flowledger.projection_freshness('flowledger_analytics') as a;

    return query
    select
        m.namespace, m.template, m.version,
        sum(m.completed + m.failed + m.cancelled + m.resolved)::bigint,
        sum(m.completed)::bigint,
        sum(m.failed)::bigint,
        sum(m.cancelled)::bigint,
        extract(epoch from sum(m.total_time) / nullif(sum(m.completed), 0)::double precision)
            ::double precision,
        extract(epoch from nullif(max(m.longest_time), '0'))::double precision,
        (sum(m.failed) / sum(m.completed + m.failed + m.cancelled + m.resolved))::double precision,
        v_known.position, v_known.at
    from flowledger_analytics.task_minute as m
    where m.minute >= date_trunc('minute', flowledger.time_ago(since), 'UTC')
        and (of_namespace is null or m.namespace = of_namespace)
        and (of_template is null or m.template = of_template)
        and (of_version is null or m.version = of_version)
    group by m.namespace, m.template, m.version
    having sum(m.completed + m.failed + m.cancelled + m.resolved) >= greatest(min_executions, 1)
    order by 8 desc nulls last, 1, 2, 3
    limit most;
end
$$;

comment on function flowledger_v1.slowest_templates(
    interval, integer, bigint, text, text, text
) is
    'The templates whose tasks took longest on average in the time, which begins with a whole '
    'minute; of those of which at least so many tasks ended. Times are of the tasks that completed, '
    'from their submission to their end. Read from the projection flowledger_analytics, '
    'as_of a time and a position of the log.
Example: select template, executions, avg_task_seconds, error_rate from flowledger_v1.slowest_templates()';
