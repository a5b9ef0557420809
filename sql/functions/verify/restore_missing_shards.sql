-- Make the rows of shards that are gone. Where they stood nobody knows, so their position is far
-- beyond the end of the log, which repair_shard_positions sets right and has all of their open tasks
-- looked at anew. Until then nobody leads them, for a minute at most. Returns how many were made.
-- Locks: rows of shards.

create or replace function flowledger.restore_missing_shards()
returns bigint
language sql
volatile
as $$
    with made as (
        insert into flowledger.shard (shard, shards, position, epoch, leader, lease_until,
            lease_seconds)
        select
            m.shard, flowledger.shard_count(),
            coalesce((select max(e.notification_id) from flowledger.event as e), 0) + 1000000000,
            coalesce((
                select max(greatest(flowledger.bounded_count(s.epoch), 0)) from flowledger.shard as s
            ), 0) + 1,
            gen_random_uuid(), flowledger.clock() + interval '1 minute', 60
        from flowledger.missing_shards() as m (shard)
        on conflict (shard) do nothing
        returning shard
    )

    select count(*) from made;
$$;
