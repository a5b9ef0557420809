-- task_execution_context of several tasks, in the order in which they are given; tasks that no
-- coordinator has seen are left out.
--
-- For everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.task_execution_contexts(tasks uuid[])
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
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
    v_task uuid;
begin
    perform flowledger.require_not_null('tasks', task_execution_contexts.tasks is not null);
    perform flowledger.require_known_tasks(variadic task_execution_contexts.tasks);

    foreach v_task in array task_execution_contexts.tasks loop
        return query select c.* from flowledger.task_execution_context(v_task) as c;
    end loop;
end
$$;

comment on function flowledger_v1.task_execution_contexts(uuid[]) is
    'task_execution_context of several tasks, in the order in which they are given; tasks that no '
    'coordinator has seen are left out.
Example: select task_id, execution_status from flowledger_v1.task_execution_contexts(array(select task_id from flowledger_v1.tasks where ended_at is null limit 10))';
