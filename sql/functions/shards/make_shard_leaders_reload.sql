-- Have whoever leads the shard of a task, or any shard where p_task is null, begin anew: nothing
-- that it has in memory is stored any more, and what it decides next it decides from what is stored
-- then. Whoever leads goes on leading, with another epoch. For whoever changes rows that are the
-- coordinators'. Locks: the shard's row, or all of them by number.

create or replace function flowledger.make_shard_leaders_reload(p_task uuid default null)
returns void
language plpgsql
volatile
as $$
begin
    perform from flowledger.shard as s
    where p_task is null or s.shard = flowledger.shard_of(p_task, s.shards)
    order by s.shard
    for update;

    update flowledger.shard as s
    set epoch = greatest(flowledger.bounded_count(s.epoch), 0) + 1
    where flowledger.shard_is_numbered(s.shard, s.shards)
        and (p_task is null or s.shard = flowledger.shard_of(p_task, s.shards));

    perform pg_notify('flowledger.shard', '');
end
$$;
