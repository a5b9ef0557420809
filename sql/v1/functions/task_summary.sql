-- flowledger.task_summary, for everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.task_summary(task uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_tasks(task);

    return flowledger.task_summary(task);
end
$$;

comment on function flowledger_v1.task_summary(uuid) is
    'A task with its counts, its words and all its steps, as one object; null where no '
    'coordinator has seen it.
Example: select jsonb_pretty(flowledger_v1.task_summary(''01890a5d-ac96-774b-bcce-b302099a8057''))';
