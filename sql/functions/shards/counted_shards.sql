-- The rows of the shards that there are to be, each with how many these are, whatever it says itself.
-- What else is in the table is nobody's, see shard_row_faults.

create or replace function flowledger.counted_shards()
returns table (
    shard integer, shards integer, "position" bigint, epoch bigint, leader uuid,
    lease_until timestamptz, lease_seconds double precision
)
language sql
stable
as $$
    select s.shard, n.shards, s.position, s.epoch, s.leader, s.lease_until, s.lease_seconds
    from (select flowledger.shard_count() as shards offset 0) as n
    join flowledger.shard as s on s.shard between 0 and n.shards - 1;
$$;
