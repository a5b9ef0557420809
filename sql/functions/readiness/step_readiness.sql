-- What may run next of a task, and what keeps the rest: a row for each of its steps, or of those
-- that p_steps names. A step is judged by all its dependencies, whichever steps are asked for; one
-- that an operator settled before all that it depends on itself had ended does not count as
-- completed yet.
--
-- ready_for_execution is what the coordinator's own fold says: a pending step of a task that goes
-- on, whose dependencies are all satisfied, or a retry that is due; nothing holds it, no pause, no
-- limit. retry_eligible: whether it may be attempted (again), by its state and its policy.
-- next_retry_at is there while it waits for a retry. last_failure_at is read from the log, for
-- steps that failed last; it is null where events are compressed or encrypted.

create or replace function flowledger.step_readiness(p_task uuid, p_steps text[] default null)
returns table (
    task_id uuid, step text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamptz, next_retry_at timestamptz,
    total_parents integer, completed_parents integer, attempts integer, max_attempts integer
)
language sql
stable
as $$
    with judged as materialized (
        select
            t.task_id,
            t.template_id,
            t.state as task_state,
            t.paused,
            p.step,
            p.max_attempts,
            p.dependencies,
            p.blocking_dependencies,
            coalesce(s.state, 'pending') as state,
            coalesce(s.attempt, 0) as attempt,
            s.due_at,
            d.completed,
            s.state in ('complete', 'error', 'cancelled', 'resolved_manually', 'skipped')
            and d.ended < cardinality(p.dependencies) as is_early
        from flowledger.task as t
        inner join flowledger.template_step as p on p.template_id = t.template_id
        left join lateral (
            select n.state, n.attempt, n.due_at
            from flowledger.step as n
            where n.task_id = t.task_id and n.step = p.step
            limit 1
        ) as s on true
        cross join lateral (
            select
                count(*) filter (
                    where o.state in ('complete', 'resolved_manually')
                    or o.state = 'skipped' and o.step <> all (p.blocking_dependencies)
                )::integer as completed,
                count(*) filter (
                    where o.state in (
                        'complete', 'error', 'cancelled', 'resolved_manually', 'skipped'
                    )
                ) as ended
            from flowledger.step as o
            where o.task_id = t.task_id and o.step = any (p.dependencies)
        ) as d
        where t.task_id = p_task and (p_steps is null or p.step = any (p_steps))
    ),

    -- Looked for where a step shows that there are some, or not all steps are looked at.
    early as materialized (
        select flowledger.steps_ended_before_dependencies(p_task, l.template_id) as steps
        from (select j.template_id from judged as j where j.is_early or p_steps is not null limit 1)
            as l
    )

    select
        j.task_id,
        j.step,
        j.state,
        c.completed = cardinality(j.dependencies),
        case j.state
            when 'pending' then j.max_attempts > 0
            when 'enqueued' then true
            when 'in_progress' then j.attempt < j.max_attempts
            when 'waiting_for_retry' then j.due_at is not null
            else false
        end,
        case j.state
            when 'pending' then
                j.task_state = 'in_progress' and j.max_attempts > 0
                and c.completed = cardinality(j.dependencies)
            when 'waiting_for_retry' then
                j.task_state in ('in_progress', 'waiting') and j.due_at <= flowledger.clock()
            else false
        end
        and not j.paused
        and not exists (
            select from flowledger.waiting_step as h where h.task_id = j.task_id and h.step = j.step
        ),
        case
            when j.state in ('waiting_for_retry', 'error')
                then flowledger.readable_time(
                    ((select flowledger.last_failure_times(p_task)) ->> j.step)::timestamptz
                )
        end,
        case when j.state = 'waiting_for_retry' then flowledger.readable_time(j.due_at) end,
        cardinality(j.dependencies),
        c.completed,
        j.attempt,
        j.max_attempts
    from judged as j
    left join early as e on true
    cross join lateral (
        select
            case
                when e.steps is null then j.completed
                else (
                    select count(*)::integer
                    from flowledger.step as o
                    where o.task_id = j.task_id and o.step = any (j.dependencies)
                    and (
                        o.state in ('complete', 'resolved_manually')
                        or o.state = 'skipped' and o.step <> all (j.blocking_dependencies)
                    )
                    and o.step <> all (e.steps)
                )
            end as completed
        offset 0
    ) as c;
$$;
