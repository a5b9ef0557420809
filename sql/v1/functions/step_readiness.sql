-- flowledger.step_readiness, for everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.step_readiness(task uuid, steps text[] default null)
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
begin
    if steps is not null then
        perform flowledger.require_known_steps(task, variadic steps);
    end if;

    return query select * from flowledger.step_readiness(task, steps);

    if not found then
        perform flowledger.require_known_tasks(task);
    end if;
end
$$;

comment on function flowledger_v1.step_readiness(uuid, text[]) is
    'What may run next of a task, and what keeps the rest: a row for each of its steps, or of '
    'those that are named. A step is judged by all its dependencies, whichever steps are asked '
    'for. ready_for_execution is what the coordinator goes by. retry_eligible says whether the '
    'step may be attempted (again) by its state and its policy. next_retry_at is there while it '
    'waits for a retry. last_failure_at comes from the log, for steps that failed last; it is '
    'null where events are compressed or encrypted.
Example: select step, current_state, ready_for_execution from flowledger_v1.step_readiness(''01890a5d-ac96-774b-bcce-b302099a8057'')';
