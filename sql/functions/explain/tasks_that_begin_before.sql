-- How many tasks of its template begin before a task that waits to: those of a higher priority, and
-- those of its own that were submitted before it, of all shards; counted up to p_most. Where it has
-- a fairness key, of its own priority only those of that key are counted: the other keys take turns
-- with it. Null where the task does not wait to begin.

create or replace function flowledger.tasks_that_begin_before(p_task uuid, p_most integer)
returns integer
language sql
stable
as $$
    select least(higher.tasks + older.tasks, p_most)::integer
    from flowledger.task as m
    cross join lateral (
        select count(*) as tasks
        from (
            (
                select
                from flowledger.task as t
                where t.state = 'pending' and not t.paused and t.fairness_key is null
                    and t.template_id = m.template_id and t.priority > m.priority
                limit p_most
            )
            union all
            (
                select
                from flowledger.task as t
                where t.state = 'pending' and not t.paused and t.fairness_key is not null
                    and t.template_id = m.template_id and t.priority > m.priority
                limit p_most
            )
        ) as h
    ) as higher
    cross join lateral (
        select count(*) as tasks
        from (
            (
                select
                from flowledger.task as t
                where t.state = 'pending' and not t.paused and t.fairness_key is null
                    and m.fairness_key is null
                    and t.template_id = m.template_id and t.priority = m.priority
                    and (t.created_at, t.task_id) < (m.created_at, m.task_id)
                limit p_most
            )
            union all
            (
                select
                from flowledger.task as t
                where t.state = 'pending' and not t.paused and t.fairness_key is not null
                    and t.template_id = m.template_id and t.priority = m.priority
                    and t.fairness_key = m.fairness_key
                    and (t.created_at, t.task_id) < (m.created_at, m.task_id)
                limit p_most
            )
        ) as o
    ) as older
    where m.task_id = p_task and m.state = 'pending' and not m.paused;
$$;
