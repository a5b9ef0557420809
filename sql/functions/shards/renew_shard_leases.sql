-- Renew the leases of shards that a process leads, whatever its loops are busy with. One whose row
-- is locked is passed over, since a commit is under way there that renews it. Locks: the shards'
-- rows, without waiting.

create or replace function flowledger.renew_shard_leases(
    p_leader uuid, p_shards integer[], p_lease double precision
)
returns void
language sql
volatile
as $$
    update flowledger.shard as s
    set lease_until = greatest(s.lease_until, flowledger.clock() + make_interval(secs => p_lease))
    where s.shard in (
        select m.shard
        from flowledger.shard as m
        where m.shard = any (p_shards) and m.leader = p_leader
            and flowledger.shard_is_numbered(m.shard, m.shards)
        for no key update skip locked
    );
$$;
