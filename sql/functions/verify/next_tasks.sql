-- The first p_limit tasks behind p_after, by id, that the log or the read models know, each with
-- how many events lie in its range of the log. For whoever looks at all tasks, some at a time.

create or replace function flowledger.next_tasks(p_after uuid, p_limit integer)
returns table (task_id uuid, events bigint)
language sql
stable
as $$
    select
        k.task_id,
        (
            select count(*)
            from flowledger.event as e
            where e.originator_id = k.task_id
        ) + (
            select count(*)
            from flowledger.event as e
            where e.originator_id
                between flowledger.step_id_lower_bound(k.task_id)
                    and flowledger.step_id_upper_bound(k.task_id)
        )
    from (
        (
            select e.originator_id as task_id
            from flowledger.event as e
            where e.originator_id > p_after
                and e.originator_version = 1
                and e.task_id = e.originator_id
            order by e.originator_id
            limit p_limit
        )
        union
        (
            select t.task_id
            from flowledger.task as t
            where t.task_id > p_after
            order by t.task_id
            limit p_limit
        )
        union
        (
            select distinct s.task_id
            from flowledger.step as s
            where s.task_id > p_after
            order by s.task_id
            limit p_limit
        )
        order by task_id
        limit p_limit
    ) as k
    order by k.task_id;
$$;
