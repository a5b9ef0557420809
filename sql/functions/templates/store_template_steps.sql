-- Derive the steps of a template from its definition, and store them in place of those that are
-- there. Raises 22023 where the dependencies form a cycle. Locks: the template's rows of
-- template_step.

create or replace function flowledger.store_template_steps(p_template uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from flowledger.template_step where template_id = p_template;

    with step as materialized (
        select s.place::integer - 1 as number, s.body ->> 'name' as name, s.body
        from flowledger.template as t
        cross join lateral jsonb_array_elements(t.definition -> 'steps')
            with ordinality as s (body, place)
        where t.template_id = p_template
    ),

    edge as materialized (
        select distinct
            p.number as parent, c.number as child, p.name,
            p.body ->> 'when_skipped' = 'stop' as stops
        from step as c
        cross join lateral jsonb_array_elements_text(c.body -> 'dependencies') as d (name)
        inner join step as p on p.name = d.name
    ),

    graph as (
        select flowledger.dag_levels(
            (select count(*)::integer from step),
            array_agg(e.parent order by e.parent, e.child),
            array_agg(e.child order by e.parent, e.child)
        ) as levels
        from edge as e
    ),

    levelled as (
        select l.place - 1 as number, l.level
        from graph as g
        cross join lateral unnest(g.levels) with ordinality as l (level, place)
    ),

    downwards as (
        select e.parent as number, array_agg(e.child order by e.child) as children
        from edge as e
        group by e.parent
    ),

    upwards as (
        select
            e.child as number,
            array_agg(e.parent order by e.parent) as parents,
            array_agg(e.name order by e.parent) as dependencies,
            array_agg(e.name order by e.parent) filter (where e.stops) as blocking_dependencies
        from edge as e
        group by e.child
    )

    insert into flowledger.template_step (
        template_id, number, step, level, max_attempts, backoff, system,
        parents, children, dependencies, blocking_dependencies
    )
    select
        p_template, s.number, s.name, l.level,
        coalesce((s.body #>> '{retry,max_attempts}')::integer, 3),
        coalesce(s.body #>> '{retry,backoff}', 'exponential'),
        s.body ->> 'system',
        coalesce(u.parents, '{}'), coalesce(d.children, '{}'),
        coalesce(u.dependencies, '{}'), coalesce(u.blocking_dependencies, '{}')
    from step as s
    inner join levelled as l on l.number = s.number
    left join upwards as u on u.number = s.number
    left join downwards as d on d.number = s.number
    order by s.number;
end
$$;

-- Whenever this file is applied: for the templates that were registered before, and because what
-- was derived otherwise is out of date. Several roles may write a template: one whose definition
-- can be none keeps the rows that it has, and stops no migration.
do $derive$
declare
    v_template uuid;
begin
    for v_template in select t.template_id from flowledger.template as t loop
        begin
            perform flowledger.store_template_steps(v_template);
        exception
            when data_exception or integrity_constraint_violation or not_null_violation
                or unique_violation or check_violation or program_limit_exceeded
                or statement_too_complex then
                raise warning 'the definition of template % is passed over: %', v_template, sqlerrm;
        end;
    end loop;
end
$derive$;
