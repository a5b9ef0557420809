-- The steps of a task that have ended while something that they depend on, directly or not, has
-- not: an operator settled them early, and what depends on them waits. Null where there are none.

create or replace function flowledger.steps_ended_before_dependencies(p_task uuid, p_template uuid)
returns text[]
language sql
stable
as $$
    with recursive ended as materialized (
        select coalesce(array_agg(s.step), '{}') as steps
        from flowledger.step as s
        where s.task_id = p_task
            and s.state in ('complete', 'error', 'cancelled', 'resolved_manually', 'skipped')
    ),

    early (step) as (
        select p.step
        from ended
        inner join flowledger.template_step as p on p.template_id = p_template
        where p.step = any (ended.steps) and not p.dependencies <@ ended.steps
        union
        select p.step
        from early as e
        cross join ended
        inner join flowledger.template_step as p on p.template_id = p_template
        where e.step = any (p.dependencies) and p.step = any (ended.steps)
    )

    select array_agg(early.step) from early;
$$;
