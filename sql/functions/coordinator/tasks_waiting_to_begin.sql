-- Tasks of one of p_shards shards that wait to begin, with their templates: of each template that is
-- not in p_full at most p_limit, the first of them first. Who was created first begins first; a
-- point of priority is worth p_ageing seconds. Paused and parked tasks do not wait to begin, and those
-- with a fairness key do so in turn (tasks_to_begin_in_turn).
--
-- Each template and priority is found by a step in the index of those tasks, so that no more of
-- them are read than are given, however many wait.

create or replace function flowledger.tasks_waiting_to_begin(
    p_limit integer, p_full uuid[], p_ageing double precision, p_shard integer, p_shards integer
)
returns table (template_id uuid, task_id uuid)
language sql
stable
as $$
    with recursive kinds as (
        (
            select t.template_id, t.priority
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is null
            order by t.template_id, t.priority
            limit 1
        )
        union all
        select n.template_id, n.priority
        from kinds as k
        cross join lateral (
            select t.template_id, t.priority
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is null
                and (t.template_id, t.priority) > (k.template_id, k.priority)
            order by t.template_id, t.priority
            limit 1
        ) as n
    ),

    first as (
        select
            k.template_id, f.task_id, f.created_at,
            extract(epoch from f.created_at) - k.priority * p_ageing as sort_key
        from kinds as k
        cross join lateral (
            select t.task_id, t.created_at
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is null
                and t.template_id = k.template_id and t.priority = k.priority
                and (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
                and not exists (
                    select from flowledger.parked_task as p where p.task_id = t.task_id
                )
            order by t.created_at, t.task_id
            limit p_limit
        ) as f
        where k.template_id <> all (p_full)
    )

    select r.template_id, r.task_id
    from (
        select
            f.*,
            row_number() over (
                partition by f.template_id order by f.sort_key, f.created_at, f.task_id
            ) as place
        from first as f
    ) as r
    where r.place <= p_limit
    order by r.template_id, r.place;
$$;
