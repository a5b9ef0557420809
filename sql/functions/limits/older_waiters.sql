-- Steps of other shards that wait for a slot of these limits, with a smaller turn than the one that
-- is given for each: at most p_limit of a limit, the first first.

create or replace function flowledger.older_waiters(
    p_keys text[], p_turns double precision[], p_limit integer, p_shard integer, p_shards integer
)
returns table (limit_key text, step_id uuid, turn double precision)
language sql
stable
as $$
    select e.limit_key, e.step_id, e.turn
    from unnest(p_keys, p_turns) as k (limit_key, turn)
    cross join lateral (
        select h.limit_key, h.step_id, h.turn
        from flowledger.held_step as h
        where h.limit_key = k.limit_key
            and h.kind = 'slot'
            and h.turn < k.turn
            and flowledger.shard_of(h.task_id, p_shards) <> p_shard
        order by h.turn
        limit p_limit
    ) as e;
$$;
