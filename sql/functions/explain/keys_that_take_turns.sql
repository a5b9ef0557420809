-- With how many other fairness keys a task that waits to begin takes turns: those of tasks of its
-- template and priority that wait to begin too, of all shards; counted up to p_most. Null where it
-- does not wait to begin, or has no key.

create or replace function flowledger.keys_that_take_turns(p_task uuid, p_most integer)
returns integer
language sql
stable
as $$
    with recursive mine as (
        select t.template_id, t.priority, t.fairness_key
        from flowledger.task as t
        where t.task_id = p_task and t.state = 'pending' and not t.paused
            and t.fairness_key is not null
    ),

    keys as (
        select m.template_id, m.priority, '' collate "C" as key, -1 as others
        from mine as m
        union all
        select k.template_id, k.priority, n.key, k.others + 1
        from keys as k
        cross join lateral (
            select t.fairness_key as key
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is not null
                and t.template_id = k.template_id and t.priority = k.priority
                and t.fairness_key > k.key
            order by t.fairness_key
            limit 1
        ) as n
        where k.others < p_most
    )

    select max(k.others) from keys as k;
$$;
