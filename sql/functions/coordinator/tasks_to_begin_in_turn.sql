-- Tasks of one of p_shards shards that wait to begin and have a fairness key, of templates that are
-- not in p_full: of each template and priority at most p_limit keys, beginning behind the one of
-- p_after that stands where the template does in p_templates, and from the first key on behind the
-- last; of each key as many as make p_limit in all, but 4 at least, the oldest first. since is when
-- the oldest of its template and priority here was created; those of the priority go first that are
-- oldest, where a point of priority is worth p_ageing seconds. Paused and parked tasks do not wait.
--
-- Each key is found by a step in the index of those tasks, so that no more of them are read than
-- are given, however many wait.

create or replace function flowledger.tasks_to_begin_in_turn(
    p_limit integer, p_full uuid[], p_ageing double precision, p_templates uuid[], p_after text[],
    p_shard integer, p_shards integer
)
returns table (template_id uuid, task_id uuid, priority integer, fairness_key text, since timestamptz)
language sql
stable
as $$
    with recursive kinds as (
        (
            select t.template_id, t.priority
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is not null
            order by t.template_id, t.priority
            limit 1
        )
        union all
        select n.template_id, n.priority
        from kinds as k
        cross join lateral (
            select t.template_id, t.priority
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is not null
                and (t.template_id, t.priority) > (k.template_id, k.priority)
            order by t.template_id, t.priority
            limit 1
        ) as n
    ),

    keys as (
        select
            k.template_id, k.priority, a.key as after, a.key as key, false as again, 0 as place
        from kinds as k
        cross join lateral (
            select coalesce(
                p_after[array_position(p_templates, k.template_id)], ''
            ) collate "C" as key
        ) as a
        where k.template_id <> all (p_full)
        union all
        select k.template_id, k.priority, k.after, n.key, n.again, k.place + 1
        from keys as k
        cross join lateral (
            select f.key, f.again
            from (
                (
                    select t.fairness_key as key, k.again as again
                    from flowledger.task as t
                    where t.state = 'pending' and not t.paused and t.fairness_key is not null
                        and t.template_id = k.template_id and t.priority = k.priority
                        and t.fairness_key > k.key
                    order by t.fairness_key
                    limit 1
                )
                union all
                (
                    select t.fairness_key, true
                    from flowledger.task as t
                    where t.state = 'pending' and not t.paused and t.fairness_key is not null
                        and t.template_id = k.template_id and t.priority = k.priority
                        and not k.again and k.after > ''
                    order by t.fairness_key
                    limit 1
                )
            ) as f
            where not f.again or f.key <= k.after
            order by f.again
            limit 1
        ) as n
        where k.place < p_limit
    ),

    kept as (
        select
            k.template_id, k.priority, k.key, k.place,
            greatest(
                p_limit / count(*) over (partition by k.template_id, k.priority), least(4, p_limit)
            ) as most
        from keys as k
        where k.place > 0
    ),

    found as (
        select
            k.template_id, k.priority, k.key, k.place, f.task_id, f.created_at, f.number,
            min(f.created_at) over (partition by k.template_id, k.priority) as since
        from kept as k
        cross join lateral (
            select t.task_id, t.created_at, row_number() over (order by t.created_at, t.task_id) as number
            from flowledger.task as t
            where t.state = 'pending' and not t.paused and t.fairness_key is not null
                and t.template_id = k.template_id and t.priority = k.priority
                and t.fairness_key = k.key
                and (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
                and not exists (
                    select from flowledger.parked_task as p where p.task_id = t.task_id
                )
            order by t.created_at, t.task_id
            limit k.most
        ) as f
    )

    select f.template_id, f.task_id, f.priority, f.key, f.since
    from found as f
    order by
        f.template_id, extract(epoch from f.since) - f.priority * p_ageing, f.priority, f.place,
        f.number;
$$;
