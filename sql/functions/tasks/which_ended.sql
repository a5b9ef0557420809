-- Those of the tasks that have ended.

create or replace function flowledger.which_ended(p_tasks uuid[])
returns setof uuid
language sql
stable
as $$
    select t.task_id
    from flowledger.task as t
    where t.task_id = any (p_tasks) and t.ended_at is not null;
$$;
