-- Whether there can be so many shards, and this is the number of one of them. shard_number_check asks
-- it of each row: one of which it is not true cannot be updated. One expression, so that the planner
-- puts it in the place of a call.

create or replace function flowledger.shard_is_numbered(p_shard integer, p_shards integer)
returns boolean
language sql
immutable
parallel safe
as $$
    select p_shards >= 1 and p_shards <= 1024 and p_shard >= 0 and p_shard < p_shards;
$$;
