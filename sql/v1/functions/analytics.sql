-- drop: function flowledger_v1.analytics(interval)
-- What happened in a time, as one row. Reads the minutes of that time and the counters, no task.

create or replace function flowledger_v1.analytics(since interval default '1 hour')
returns table (
    period_start timestamptz, calculated_at timestamptz,
    active_tasks bigint, namespaces bigint, templates bigint,
    tasks_created bigint, task_completions bigint, task_errors bigint, task_cancellations bigint,
    tasks_resolved bigint, task_endings bigint,
    completion_rate double precision, error_rate double precision,
    tasks_per_minute double precision, avg_task_seconds double precision,
    longest_task_seconds double precision,
    step_attempts bigint, step_completions bigint, step_failures bigint, step_retries bigint,
    step_errors bigint,
    steps_per_minute double precision, avg_step_seconds double precision,
    longest_step_seconds double precision, avg_queue_seconds double precision,
    health_score double precision, projection_paused boolean,
    as_of_position bigint, as_of timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := flowledger.clock();
    v_start constant timestamptz := date_trunc('minute', flowledger.time_ago(since), 'UTC');
    -- Of what no projector has read, a count of 0 is not known.
    v_none constant bigint := (
        select 0 from flowledger.projection_freshness('flowledger_analytics') as a
        where a.position is not null
    );
begin
    perform flowledger.require_not_null('since', since is not null);
    perform flowledger.require_not_negative('since', since::text, since < '0');

    return query
    with tasks as (
        select
            v_none + count(distinct m.namespace) as namespaces,
            v_none + count(distinct (m.namespace, m.template)) as templates,
            coalesce(sum(m.created), v_none)::bigint as created,
            coalesce(sum(m.completed), v_none)::bigint as completed,
            coalesce(sum(m.failed), v_none)::bigint as failed,
            coalesce(sum(m.cancelled), v_none)::bigint as cancelled,
            coalesce(sum(m.resolved), v_none)::bigint as resolved,
            coalesce(sum(m.completed + m.failed + m.cancelled + m.resolved), v_none) as ended,
            sum(m.total_time) as total_time,
            max(m.longest_time) as longest_time
        from flowledger_analytics.task_minute as m
        where m.minute >= v_start
    ),

    steps as (
        select
            coalesce(sum(m.started), v_none)::bigint as started,
            coalesce(sum(m.completed), v_none)::bigint as completed,
            coalesce(sum(m.failed + m.timed_out + m.lost), v_none)::bigint as failed,
            coalesce(sum(m.retried), v_none)::bigint as retried,
            coalesce(sum(m.errored), v_none)::bigint as errored,
            sum(m.runs) as runs,
            sum(m.run_time) as run_time,
            max(m.longest_run) as longest_run,
            sum(m.queue_time) as queue_time
        from flowledger_analytics.step_minute as m
        where m.minute >= v_start
    ),

    live as (
        select sum(
            c.tasks_pending + c.tasks_in_progress + c.tasks_waiting + c.tasks_blocked
        )::bigint as active
        from flowledger.state_count as c
    ),

    period as (select extract(epoch from v_now - v_start)::double precision / 60 as minutes)

    select
        v_start, v_now,
        l.active, t.namespaces, t.templates,
        t.created, t.completed, t.failed, t.cancelled, t.resolved,
        t.ended::bigint,
        (t.completed / nullif(t.ended, 0))::double precision,
        (t.failed / nullif(t.ended, 0))::double precision,
        t.completed / nullif(p.minutes, 0),
        extract(epoch from t.total_time / nullif(t.completed, 0))::double precision,
        extract(epoch from nullif(t.longest_time, '0'))::double precision,
        s.started, s.completed, s.failed, s.retried, s.errored,
        s.completed / nullif(p.minutes, 0),
        extract(epoch from s.run_time / nullif(s.runs, 0)::double precision)::double precision,
        extract(epoch from nullif(s.longest_run, '0'))::double precision,
        extract(epoch from s.queue_time / nullif(s.started, 0))::double precision,
        case when t.ended + s.completed + s.failed > 0 then round((
            70 * (1 - coalesce(t.failed / nullif(t.ended, 0), 0))
            + 30 * (1 - coalesce(s.failed::numeric / nullif(s.completed + s.failed, 0), 0))
        )::numeric, 1)::double precision end,
        a.paused, a.position, a.at
    from tasks as t
    cross join steps as s
    cross join live as l
    cross join period as p
    left join flowledger.projection_freshness('flowledger_analytics') as a on true;
end
$$;

comment on function flowledger_v1.analytics(interval) is
    'What happened in a time up to now, in one row. The time begins with a whole minute, at '
    'period_start. active_tasks is how many tasks have not ended, now; namespaces and templates '
    'are those of which a task was submitted or ended in the time. What is counted of tasks are '
    'endings, task_endings in all: a task that ended, was opened again and ended anew has two. '
    'Rates are parts of these endings, from 0 to 1. avg_task_seconds is from the submission to the end of the tasks that '
    'completed; avg_step_seconds is how long an attempt ran, however it ended, and '
    'avg_queue_seconds how long it was queued. step_failures are attempts whose handler raised, '
    'that ran too long, or whose worker was lost; step_errors are steps that were given up. '
    'health_score goes to 100: 70 for endings that were no error, 30 for attempts that did not '
    'fail; it is null where nothing ended and no attempt did. What there was none of is null in averages and rates. Where as_of is null nothing has been counted yet, and all but active_tasks and the times is null. Read from the projection '
    'flowledger_analytics, as_of a time and a position of the log: of what came later it knows nothing, and while the projection is paused nothing comes to it.
Example: select task_completions, error_rate, avg_step_seconds from flowledger_v1.analytics(''15 minutes'')';
