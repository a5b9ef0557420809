-- Steps of other shards that wait for a slot of these limits, with a smaller sort key than the one
-- that is given for each: at most p_limit of a limit, the first first.

create or replace function flowledger.waiters_of_other_shards(
    p_keys text[], p_sort_keys double precision[], p_limit integer, p_shard integer,
    p_shards integer
)
returns table (limit_key text, step_id uuid, sort_key double precision)
language sql
stable
as $$
    select e.limit_key, e.step_id, e.sort_key
    from unnest(p_keys, p_sort_keys) as k (limit_key, sort_key)
    cross join lateral (
        select h.limit_key, h.step_id, h.sort_key
        from flowledger.waiting_step as h
        where h.limit_key = k.limit_key
            and h.kind = 'slot'
            and h.sort_key < k.sort_key
            and flowledger.waiting_step_is_readable(h.sort_key, h.demand)
            and flowledger.shard_of(h.task_id, p_shards) <> p_shard
        order by h.sort_key
        limit p_limit
    ) as e;
$$;
