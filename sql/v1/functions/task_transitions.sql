-- The transitions of one task.

create or replace function flowledger_v1.task_transitions(task uuid)
returns setof flowledger_v1.transitions
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_known_tasks(task);

    return query
    select t.*
    from flowledger_v1.transitions as t
    where (
        t.stream_id = task
        or t.stream_id between flowledger.step_id_lower_bound(task)
        and flowledger.step_id_upper_bound(task)
    )
    and t.task_id = task
    order by t.position;
end
$$;

comment on function flowledger_v1.task_transitions(uuid) is
    'Who changed the state of a task and of its steps, when and why, in the order of the log.
Example: select recorded_at, step, from_state, to_state, actor, reason from flowledger_v1.task_transitions(''01890a5d-ac96-774b-bcce-b302099a8057'')';
