-- Every step that a step depends on, directly or not: once each, with the length of the shortest
-- way to it, its state, and whether it has a result. Raises P0002 where task or step is not known.
--
-- Goes up in rounds, and looks at the parents of each step once, however many ways lead to it.
--
-- For everyone, with the settings of the engine's own connections.

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
#variable_conflict use_column
declare
    v_template constant uuid := (select t.template_id from flowledger.task as t
    where t.task_id = transitive_dependencies.task);
    v_seen boolean[];
    v_found integer[] := '{}';
    v_distances integer[] := '{}';
    v_round integer[];
    v_next integer[];
    v_distance integer := 0;
    v_parent integer;
begin
    perform flowledger.require_known_steps(
        transitive_dependencies.task, transitive_dependencies.step_name
    );

    select array[p.number] into v_round
    from flowledger.template_step as p
    where p.template_id = v_template and p.step = transitive_dependencies.step_name;

    select array_fill(false, array[count(*)::integer], array[0]) into v_seen
    from flowledger.template_step as p
    where p.template_id = v_template;

    while cardinality(v_round) > 0 loop
        v_distance := v_distance + 1;
        v_next := '{}';

        for v_parent in
            select distinct u.number
            from unnest(v_round) as r (number)
            cross join lateral (
                select p.parents
                from flowledger.template_step as p
                where p.template_id = v_template and p.number = r.number
                limit 1
            ) as p
            cross join lateral unnest(p.parents) as u (number)
        loop
            if not v_seen[v_parent] then
                v_seen[v_parent] := true;
                v_next := array_append(v_next, v_parent);
                v_found := array_append(v_found, v_parent);
                v_distances := array_append(v_distances, v_distance);
            end if;
        end loop;

        v_round := v_next;
    end loop;

    return query
    select p.step, f.distance, coalesce(s.state, 'pending'), coalesce(s.state = 'complete', false)
    from unnest(v_found, v_distances) as f (number, distance)
    cross join lateral (
        select n.step
        from flowledger.template_step as n
        where n.template_id = v_template and n.number = f.number
        limit 1
    ) as p
    left join lateral (
        select n.state
        from flowledger.step as n
        where n.task_id = transitive_dependencies.task and n.step = p.step
        limit 1
    ) as s on true
    order by f.distance, f.number;
end
$$;

comment on function flowledger_v1.transitive_dependencies(uuid, text) is
    'Every step that a step depends on, directly or not, once each: the length of the shortest '
    'way to it, its state, and whether it has a result.
Example: select step, distance, state from flowledger_v1.transitive_dependencies(''01890a5d-ac96-774b-bcce-b302099a8057'', ''ship'')';
