-- flowledger.task_execution_context, for everyone, with the settings of the engine's own
-- connections.

create or replace function flowledger_v1.task_execution_context(task uuid)
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
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    return query select * from flowledger.task_execution_context(task);

    if not found then
        perform flowledger.require_known_tasks(task);
    end if;
end
$$;

comment on function flowledger_v1.task_execution_context(uuid) is
    'Where a task stands: its steps counted by state, three words and a percentage. No row where '
    'no coordinator has seen it yet. ready_steps may be queued; waiting_steps have what they depend '
    'on and are kept back by a limit, a pause or a delayed start, or wait to begin. Both are among pending_steps. '
    'execution_status is has_ready_steps, processing, blocked_by_failures, all_complete or '
    'waiting_for_dependencies; recommended_action is execute_ready_steps, wait_for_completion, '
    'handle_failures, finalize_task, wait_for_dependencies, wait_for_start (its start is yet to '
    'come) or resume_task (an operator paused it, and one must resume it); health_status is healthy, recovering, blocked or unknown.
Example: select execution_status, health_status, completion_percentage from flowledger_v1.task_execution_context(''01890a5d-ac96-774b-bcce-b302099a8057'')';
