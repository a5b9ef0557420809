-- Steps of a task that somebody names. Raises P0002 where there is no such task, or with the first
-- of the names that its template does not have, and 22004 where one is null. Of a task that no
-- coordinator has met the template is not known, and every name is let pass.

create or replace function flowledger.require_known_steps(p_task uuid, variadic p_steps text[])
returns void
language plpgsql
stable
as $$
declare
    v_unknown text;
begin
    perform flowledger.require_known_tasks(p_task);
    perform flowledger.require_not_null('step', array_position(p_steps, null) is null);

    select s.step into v_unknown
    from flowledger.task as t
    cross join unnest(p_steps) with ordinality as s (step, n)
    where t.task_id = p_task and not exists (
        select from flowledger.template_step as p
        where p.template_id = t.template_id and p.step = s.step
    )
    order by s.n
    limit 1;

    if found then
        raise exception 'task % has no step %', p_task, quote_literal(v_unknown)
            using errcode = 'P0002';
    end if;
end
$$;
