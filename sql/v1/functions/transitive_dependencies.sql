-- flowledger.transitive_dependencies, for everyone, with the settings of the engine's own
-- connections.

create or replace function flowledger_v1.transitive_dependencies(task uuid, step_name text)
returns table (step text, distance integer, state text, has_result boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_steps(task, step_name);

    return query select * from flowledger.transitive_dependencies(task, step_name);
end
$$;

comment on function flowledger_v1.transitive_dependencies(uuid, text) is
    'Every step that a step depends on, directly or not, once each: the length of the shortest '
    'way to it, its state, and whether it has a result.
Example: select step, distance, state from flowledger_v1.transitive_dependencies(''01890a5d-ac96-774b-bcce-b302099a8057'', ''ship'')';
