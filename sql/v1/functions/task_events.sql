-- The events of one task; see flowledger.task_events.

create or replace function flowledger_v1.task_events(task uuid)
returns setof flowledger_v1.events
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
    select e.*
    from flowledger_v1.events as e
    where (
        e.stream_id = task
        or e.stream_id between flowledger.step_id_lower_bound(task)
        and flowledger.step_id_upper_bound(task)
    )
    and e.task_id = task
    order by e.position;
end
$$;

comment on function flowledger_v1.task_events(uuid) is
    'The whole history of a task, in the order of the log: its own events, those of its steps, and'
    ' what was asked about it.
Example: select recorded_at, type, step, data from flowledger_v1.task_events(''01890a5d-ac96-774b-bcce-b302099a8057'')';
