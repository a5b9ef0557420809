-- Who leads each shard, and for how many more seconds where nobody renews it; negative: since when
-- it is free. Where it was never led, it has been for ever, and its epoch is 0. `shards` is how many
-- there are to be, of which some may have no row.
-- drop: function flowledger.shard_leases()

create or replace function flowledger.shard_leases()
returns table (shard integer, leader uuid, seconds_left double precision, epoch bigint, shards integer)
language sql
stable
as $$
    select
        s.shard,
        s.leader,
        coalesce(extract(epoch from s.lease_until - flowledger.clock()), '-infinity')::float8,
        s.epoch,
        s.shards
    from flowledger.counted_shards() as s
    order by s.shard;
$$;
