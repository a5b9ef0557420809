-- The steps of a task with their levels: how many steps the longest way to each has before it. They
-- are derived once, when the template is registered.

create or replace function flowledger.dependency_levels(p_task uuid)
returns table (step text, level integer)
language sql
stable
as $$
    select p.step, p.level
    from flowledger.task as t
    inner join flowledger.template_step as p on p.template_id = t.template_id
    where t.task_id = p_task
    order by p.level, p.number;
$$;
