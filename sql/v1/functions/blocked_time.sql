-- drop: function flowledger_v1.blocked_time(interval, text, text, text)
-- For how long what could have gone on did not, by the reason. Reads the minutes of that time.

create or replace function flowledger_v1.blocked_time(
    since interval default '1 hour',
    of_namespace text default null, of_template text default null, of_version text default null
)
returns table (
    reason text, times bigint, total_seconds double precision, avg_seconds double precision,
    longest_seconds double precision,
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
    perform flowledger.require_known_template(of_namespace, of_template, of_version);

    select a.position, a.at into v_known from flowledger.projection_freshness('flowledger_analytics') as a;

    return query
    select
        m.reason,
        sum(m.times)::bigint,
        extract(epoch from sum(m.total_time))::double precision,
        extract(epoch from sum(m.total_time) / sum(m.times)::double precision)::double precision,
        extract(epoch from max(m.longest_time))::double precision,
        v_known.position, v_known.at
    from flowledger_analytics.blocked_minute as m
    where m.minute >= date_trunc('minute', flowledger.time_ago(since), 'UTC')
        and (of_namespace is null or m.namespace = of_namespace)
        and (of_template is null or m.template = of_template)
        and (of_version is null or m.version = of_version)
    group by m.reason
    order by 3 desc, 1;
end
$$;

comment on function flowledger_v1.blocked_time(interval, text, text, text) is
    'For how long tasks and steps that could have gone on did not, by the reason, longest first; '
    'counted where it ended in the time. queue: no worker took the step; retry: until the time of '
    'the next attempt; concurrency, rate_limit, circuit, template_paused: what kept a ready step '
    'out of the queue; of tasks, delayed_start: until the time for which they were submitted, '
    'coordinator: until one took them on, paused, operator: blocked until somebody decided. '
    'Read from the projection flowledger_analytics, '
    'as_of a time and a position of the log.
Example: select reason, times, avg_seconds from flowledger_v1.blocked_time(''1 day'', of_template => ''process_order'')';
