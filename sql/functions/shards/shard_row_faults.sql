-- Rows of flowledger.shard that nobody can lead, or that are of no shard: the number, the column,
-- what stands there, and what would be right. `row` is the column of one that should not be there.

create or replace function flowledger.shard_row_faults()
returns table (shard integer, field text, expected text, found text)
language sql
stable
as $$
    select
        s.shard,
        case when s.shard between 0 and n.shards - 1 then 'shards' else 'row' end,
        case when s.shard between 0 and n.shards - 1 then n.shards::text else 'none' end,
        case when s.shard between 0 and n.shards - 1 then s.shards::text else 'a row' end
    from (select flowledger.shard_count() as shards offset 0) as n
    join flowledger.shard as s on s.shards <> n.shards or s.shard not between 0 and n.shards - 1
    order by s.shard;
$$;
