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
    select
        t.task_id,
        p.step,
        coalesce(s.state, 'pending'),
        d.completed = cardinality(p.dependencies),
        case coalesce(s.state, 'pending')
            when 'pending' then p.max_attempts > 0
            when 'enqueued' then true
            when 'in_progress' then s.attempt < p.max_attempts
            when 'waiting_for_retry' then s.due_at is not null
            else false
        end,
        case coalesce(s.state, 'pending')
            when 'pending' then
                t.state = 'in_progress' and p.max_attempts > 0
                and d.completed = cardinality(p.dependencies)
            when 'waiting_for_retry' then
                t.state in ('in_progress', 'waiting') and s.due_at <= flowledger.clock()
            else false
        end
        and not t.paused
        and not exists (
            select from flowledger.waiting_step as h where h.task_id = t.task_id and h.step = p.step
        ),
        case
            when s.state in ('waiting_for_retry', 'error')
                then ((select flowledger.last_failure_times(p_task)) ->> p.step)::timestamptz
        end,
        case when s.state = 'waiting_for_retry' then s.due_at end,
        cardinality(p.dependencies),
        d.completed,
        coalesce(s.attempt, 0),
        p.max_attempts
    from flowledger.task as t
    cross join lateral (
        select flowledger.steps_ended_before_dependencies(t.task_id, t.template_id) as steps offset 0
    ) as e
    inner join flowledger.template_step as p on p.template_id = t.template_id
    left join lateral (
        select n.state, n.attempt, n.due_at
        from flowledger.step as n
        where n.task_id = t.task_id and n.step = p.step
        limit 1
    ) as s on true
    cross join lateral (
        select count(*)::integer as completed
        from flowledger.step as o
        where o.task_id = t.task_id and o.step = any (p.dependencies)
        and (
            o.state in ('complete', 'resolved_manually')
            or o.state = 'skipped' and o.step <> all (p.blocking_dependencies)
        )
        and (e.steps is null or o.step <> all (e.steps))
    ) as d
    where t.task_id = p_task and (p_steps is null or p.step = any (p_steps));
$$;
