-- task_execution_context of several tasks, in the order in which they are given; tasks that no
-- coordinator has seen are left out.

create or replace function flowledger.task_execution_contexts(p_tasks uuid[])
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
as $$
declare
    v_task uuid;
begin
    foreach v_task in array coalesce(p_tasks, '{}') loop
        return query select c.* from flowledger.task_execution_context(v_task) as c;
    end loop;
end
$$;
