-- Leases of shards whose leader is not registered end within a minute, however long they are: who
-- leads is registered before, and where the process is there all the same it renews them. A minute is
-- what restore_missing_shards keeps a shard from everybody. Locks: rows of shards, without waiting.

create or replace function flowledger.shorten_unheld_shard_leases()
returns void
language sql
volatile
as $$
    update flowledger.shard as s
    set lease_until = flowledger.clock() + interval '1 minute'
    where s.shard in (
        select m.shard
        from flowledger.shard as m
        where m.lease_until > flowledger.clock() + interval '1 minute'
            and flowledger.shard_is_numbered(m.shard, m.shards)
            and not exists (
                select from flowledger.coordinator as c where c.coordinator_id = m.leader
            )
        for no key update skip locked
    );
$$;
