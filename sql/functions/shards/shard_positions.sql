-- Every shard with how far its coordinator has come, how many shards it believes there are, and
-- where the log ends.

create or replace function flowledger.shard_positions()
returns table (shard integer, shards integer, "position" bigint, log_end bigint)
language sql
stable
as $$
    select
        s.shard, s.shards, s.position,
        coalesce((select max(e.notification_id) from flowledger.event as e), 0)
    from flowledger.counted_shards() as s
    order by s.shard;
$$;
