-- Where a task stands: its steps counted by state, and its three words and percentage. No row where
-- the coordinator has not seen the task.
--
-- ready_steps may be queued; waiting_steps have what they depend on and are kept back by a limit, a
-- pause or a delayed start. Both are among pending_steps; a task that has ended has neither.
--
-- Two look-ups, a third where a pending step has what it depends on, and one more where it may be
-- that the task is yet to start. Counting places in an
-- array is cheaper than nine filtered aggregates, which cost more than all else here.

create or replace function flowledger.task_execution_context(p_task uuid)
returns table (
    task_id uuid, template_id uuid, state text,
    total_steps bigint, pending_steps bigint, enqueued_steps bigint, in_progress_steps bigint,
    waiting_for_retry_steps bigint, completed_steps bigint, failed_steps bigint,
    cancelled_steps bigint, skipped_steps bigint, resolved_steps bigint,
    ready_steps bigint, waiting_steps bigint,
    execution_status text, recommended_action text, completion_percentage double precision,
    health_status text
)
language plpgsql
stable
rows 1
as $$
#variable_conflict use_column
declare
    v_template uuid;
    v_open boolean;
    v_paused boolean;
    v_delayed boolean;
    v_states text[];
    v_satisfied bigint;
begin
    select t.task_id, t.template_id, t.state, t.ended_at is null, t.paused
    into task_id, v_template, state, v_open, v_paused
    from flowledger.task as t
    where t.task_id = p_task;

    if not found then
        return;
    end if;

    select
        count(*),
        array_agg(s.state),
        count(*) filter (
            where v_open and coalesce(s.state, 'pending') = 'pending'
            and cardinality(p.dependencies) = (
                select count(*)
                from flowledger.step as o
                where o.task_id = p_task and o.step = any (p.dependencies)
                and (
                    o.state in ('complete', 'resolved_manually')
                    or o.state = 'skipped' and o.step <> all (p.blocking_dependencies)
                )
            )
        )
    into total_steps, v_states, v_satisfied
    from flowledger.template_step as p
    left join lateral (
        select n.state
        from flowledger.step as n
        where n.task_id = p_task and n.step = p.step
        limit 1
    ) as s on true
    where p.template_id = v_template;

    template_id := v_template;
    enqueued_steps := cardinality(array_positions(v_states, 'enqueued'));
    in_progress_steps := cardinality(array_positions(v_states, 'in_progress'));
    waiting_for_retry_steps := cardinality(array_positions(v_states, 'waiting_for_retry'));
    completed_steps := cardinality(array_positions(v_states, 'complete'));
    failed_steps := cardinality(array_positions(v_states, 'error'));
    cancelled_steps := cardinality(array_positions(v_states, 'cancelled'));
    skipped_steps := cardinality(array_positions(v_states, 'skipped'));
    resolved_steps := cardinality(array_positions(v_states, 'resolved_manually'));
    pending_steps := total_steps - enqueued_steps - in_progress_steps - waiting_for_retry_steps
        - completed_steps - failed_steps - cancelled_steps - skipped_steps - resolved_steps;
    ready_steps := 0;
    waiting_steps := 0;

    -- It says which of these depend on something that was settled early, too.
    if v_satisfied > 0 then
        select count(*) filter (where r.ready_for_execution),
            count(*) filter (where not r.ready_for_execution)
        into ready_steps, waiting_steps
        from flowledger.step_readiness(p_task) as r
        where r.current_state = 'pending' and r.dependencies_satisfied;
    end if;

    v_delayed := waiting_steps > 0 and state in ('pending', 'waiting') and exists (
        select from flowledger.timer as r where r.step_id = p_task and r.kind = 'start'
    );

    select w.execution_status, w.recommended_action, w.completion_percentage, w.health_status
    into execution_status, recommended_action, completion_percentage, health_status
    from flowledger.execution_status_from_counts(
        state, pending_steps, enqueued_steps, in_progress_steps, waiting_for_retry_steps,
        completed_steps, failed_steps, cancelled_steps, resolved_steps, skipped_steps,
        ready_steps, waiting_steps, v_paused, v_delayed
    ) as w;

    return next;
end
$$;
