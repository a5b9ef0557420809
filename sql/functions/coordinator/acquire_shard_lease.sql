-- Become or stay the leader of a shard; a new leader gets a new epoch.
-- Returns no row while another holds the lease, and where the caller does not know how many shards
-- there are: it would decide on tasks of others. Locks: the shard row.
-- drop: function flowledger.acquire_shard_lease(integer, uuid, double precision)

create or replace function flowledger.acquire_shard_lease(
    p_shard integer, p_leader uuid, p_lease double precision, p_shards integer default 1
)
returns table (epoch bigint, "position" bigint, now timestamptz)
language sql
volatile
as $$
    update flowledger.shard as s
    set leader = p_leader,
        epoch = greatest(flowledger.bounded_count(s.epoch), 0)
            + (s.leader is distinct from p_leader)::integer,
        lease_until = flowledger.clock() + make_interval(secs => p_lease),
        lease_seconds = p_lease
    where s.shard = p_shard
        and s.shards = p_shards
        and flowledger.shard_is_numbered(p_shard, p_shards)
        and (
            s.leader is null or s.leader = p_leader
            or coalesce(s.lease_until, '-infinity') < flowledger.clock()
        )
    returning s.epoch, s.position, flowledger.clock();
$$;
