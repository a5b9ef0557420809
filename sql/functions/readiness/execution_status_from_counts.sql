-- A task in three words and a number, from its state and the counts of its steps: what there is to
-- do, what should be done about it, whether anything is wrong, and how much is done, in per cent.
--
-- p_ready are pending steps that nothing keeps from being queued, p_held those whose dependencies
-- are satisfied but which a limit, a pause or a delayed start keeps back. Both are among p_pending.
-- p_paused: an operator paused the task; p_delayed: its start is yet to come.
-- The engine's domain has the same rules in Python (summary), and a test holds both together.
-- In PL/pgSQL because it is called a row at a time: a body in SQL would be planned at each call.
-- drop: function flowledger.execution_status_from_counts(text, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint)

create or replace function flowledger.execution_status_from_counts(
    p_task text,
    p_pending bigint, p_enqueued bigint, p_in_progress bigint, p_waiting_for_retry bigint,
    p_complete bigint, p_error bigint, p_cancelled bigint, p_resolved_manually bigint,
    p_skipped bigint,
    p_ready bigint, p_held bigint,
    p_paused boolean, p_delayed boolean,
    out execution_status text,
    out recommended_action text,
    out health_status text,
    out completion_percentage double precision
)
language plpgsql
immutable
as $$
declare
    v_done constant bigint := p_complete + p_resolved_manually + p_skipped;
    v_steps constant bigint := v_done + p_pending + p_enqueued + p_in_progress
        + p_waiting_for_retry + p_error + p_cancelled;
    v_settled constant boolean := p_task in ('complete', 'cancelled', 'resolved_manually');
begin
    execution_status := case
        when v_settled then 'all_complete'
        when p_task = 'error' then 'blocked_by_failures'
        when p_ready + p_enqueued > 0 then 'has_ready_steps'
        when p_in_progress > 0 then 'processing'
        when p_held + p_waiting_for_retry > 0 then 'waiting_for_dependencies'
        when p_error > 0 then 'blocked_by_failures'
        when v_steps = 0 then 'waiting_for_dependencies'
        else 'all_complete'
    end;
    recommended_action := case
        when execution_status = 'blocked_by_failures' then 'handle_failures'
        when execution_status = 'all_complete' then 'finalize_task'
        when p_paused then 'resume_task'
        when p_delayed then 'wait_for_start'
        when execution_status = 'has_ready_steps' then 'execute_ready_steps'
        when execution_status = 'processing' then 'wait_for_completion'
        when execution_status = 'waiting_for_dependencies' then 'wait_for_dependencies'
    end;
    health_status := case
        when v_steps = 0 then 'unknown'
        when v_settled then 'healthy'
        when p_task in ('error', 'blocked') or p_error > 0 then 'blocked'
        when p_waiting_for_retry > 0 then 'recovering'
        else 'healthy'
    end;
    completion_percentage := case
        when p_task = 'complete' then 100.0
        when v_steps = 0 then 0.0
        else (v_done * 10000 / v_steps)::double precision / 100
    end;
end
$$;
