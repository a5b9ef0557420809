-- step_readiness of several tasks, in the order in which they are given. Task by task, so that it
-- costs what the single calls cost, however many tasks are given and however the call is planned.

create or replace function flowledger.step_readiness_batch(p_tasks uuid[])
returns table (
    task_id uuid, step text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamptz, next_retry_at timestamptz,
    total_parents integer, completed_parents integer, attempts integer, max_attempts integer
)
language plpgsql
stable
as $$
declare
    v_task uuid;
begin
    foreach v_task in array coalesce(p_tasks, '{}') loop
        return query select r.* from flowledger.step_readiness(v_task) as r;
    end loop;
end
$$;
