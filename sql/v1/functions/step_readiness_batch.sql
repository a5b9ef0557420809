-- step_readiness of several tasks, in the order in which they are given. Task by task, so that it
-- costs what the single calls cost, however many tasks are given and however the call is planned.
--
-- For everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.step_readiness_batch(tasks uuid[])
returns table (
    task_id uuid, step text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamptz, next_retry_at timestamptz,
    total_parents integer, completed_parents integer, attempts integer, max_attempts integer
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
    perform flowledger.require_not_null('tasks', step_readiness_batch.tasks is not null);
    perform flowledger.require_known_tasks(variadic step_readiness_batch.tasks);

    foreach v_task in array step_readiness_batch.tasks loop
        return query select r.* from flowledger.step_readiness(v_task) as r;
    end loop;
end
$$;

comment on function flowledger_v1.step_readiness_batch(uuid[]) is
    'step_readiness of several tasks, in the order in which they are given.
Example: select task_id, step from flowledger_v1.step_readiness_batch(array(select task_id from flowledger_v1.tasks where ended_at is null limit 10)) where ready_for_execution';
