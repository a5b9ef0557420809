-- The steps of a task with their levels: how many steps the longest way to each has before it. They
-- are derived once, when the template is registered.
--
-- For everyone, with the settings of the engine's own connections.

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
#variable_conflict use_column
begin
    perform flowledger.require_known_tasks(dependency_levels.task);

    return query
    select p.step, p.level
    from flowledger.task as t
    inner join flowledger.template_step as p on p.template_id = t.template_id
    where t.task_id = dependency_levels.task
    order by p.level, p.number;
end
$$;

comment on function flowledger_v1.dependency_levels(uuid) is
    'The steps of a task with their levels: how many steps the longest way to each has before it.
Example: select level, array_agg(step) from flowledger_v1.dependency_levels(''01890a5d-ac96-774b-bcce-b302099a8057'') group by level order by level';
