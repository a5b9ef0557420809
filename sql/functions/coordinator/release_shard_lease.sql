-- Give a shard up, so that another can lead at once. Nothing happens where the epoch is another.
-- The lease says since when the shard is free. Locks: the shard row.

create or replace function flowledger.release_shard_lease(p_shard integer, p_epoch bigint)
returns void
language sql
volatile
as $$
    update flowledger.shard
    set leader = null, lease_until = flowledger.clock(), lease_seconds = 0
    where shard = p_shard and epoch = p_epoch and flowledger.shard_is_numbered(shard, shards);

    select pg_notify('flowledger.shard', p_shard::text);
$$;
