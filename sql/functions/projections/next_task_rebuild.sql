-- The oldest rebuild of tasks that is not done, with the next tasks of it, in the order of their
-- ids; none: that was all. No row: nobody asked.

create or replace function flowledger.next_task_rebuild(p_name text, p_limit integer)
returns table (rebuild bigint, tasks uuid[])
language sql
stable
as $$
    select r.rebuild, coalesce(t.tasks, '{}')
    from (
        select * from flowledger.projection_rebuild as r
        where r.name = p_name and r.state = 'asked'
        order by r.rebuild
        limit 1
    ) as r
    left join lateral (
        select array_agg(x.task_id order by x.task_id) as tasks
        from (
            select r.task_id where r.task_id is not null and r.after_task is null
            union all
            (
                select k.task_id from flowledger.task as k
                where r.template_id is not null and k.template_id = r.template_id
                    and k.task_id > coalesce(r.after_task, '00000000-0000-0000-0000-000000000000')
                order by k.task_id
                limit p_limit
            )
        ) as x
    ) as t on true;
$$;
