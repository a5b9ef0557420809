-- flowledger.dependency_levels, for everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.dependency_levels(task uuid)
returns table (step text, level integer)
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

    return query select * from flowledger.dependency_levels(task);
end
$$;

comment on function flowledger_v1.dependency_levels(uuid) is
    'The steps of a task with their levels: how many steps the longest way to each has before it.
Example: select level, array_agg(step) from flowledger_v1.dependency_levels(''01890a5d-ac96-774b-bcce-b302099a8057'') group by level order by level';
