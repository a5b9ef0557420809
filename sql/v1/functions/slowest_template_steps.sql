-- drop: function flowledger_v1.slowest_template_steps(interval, integer, bigint, text, text, text)
-- The steps of templates that are slow on average. Reads the minutes of that time.

create or replace function flowledger_v1.slowest_template_steps(
    since interval default '1 day', most integer default 10, min_executions bigint default 5,
    of_namespace text default null, of_template text default null, of_version text default null
)
returns table (
    namespace text, template text, version text, step text,
    executions bigint, completions bigint, failures bigint, retries bigint, errors bigint,
    avg_run_seconds double precision, longest_run_seconds double precision,
    avg_queue_seconds double precision, longest_queue_seconds double precision,
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
        m.namespace, m.template, m.version, m.step,
        sum(m.runs)::bigint,
        sum(m.completed)::bigint,
        sum(m.failed + m.timed_out + m.lost)::bigint,
        sum(m.retried)::bigint,
        sum(m.errored)::bigint,
        extract(epoch from sum(m.run_time) / sum(m.runs)::double precision)::double precision,
        extract(epoch from max(m.longest_run))::double precision,
        extract(epoch from sum(m.queue_time) / nullif(sum(m.started), 0)::double precision)
            ::double precision,
        extract(epoch from max(m.longest_queue))::double precision,
        v_known.position, v_known.at
    from flowledger_analytics.step_minute as m
    where m.minute >= date_trunc('minute', flowledger.time_ago(since), 'UTC')
        and (of_namespace is null or m.namespace = of_namespace)
        and (of_template is null or m.template = of_template)
        and (of_version is null or m.version = of_version)
    group by m.namespace, m.template, m.version, m.step
    having sum(m.runs) >= greatest(min_executions, 1)
    order by 10 desc, 1, 2, 3, 4
    limit most;
end
$$;

comment on function flowledger_v1.slowest_template_steps(
    interval, integer, bigint, text, text, text
) is
    'The steps whose attempts ran longest on average in the time, which begins with a whole minute; '
    'of those that ended at least so many times. executions are attempts, however they ended. Read '
    'from the projection flowledger_analytics, '
    'as_of a time and a position of the log.
Example: select template, step, executions, avg_run_seconds from flowledger_v1.slowest_template_steps(''1 hour'')';
