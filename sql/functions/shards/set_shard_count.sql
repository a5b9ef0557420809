-- Change how many shards there are. Whoever leads one leads it no longer. Returns how many there
-- were; as many change nothing.
--
-- A shard's position says that all facts of its tasks up to there are decided on. Tasks change
-- their shards here, so all shards must have decided on all facts; then the end of the log is right
-- for each. Where nobody has ever led, the beginning is. Raises FL005 where facts are left,
-- and where the row of a shard is gone;
-- p_topics are their topics.
--
-- Locks, in the common order: all shard rows, as the whole table, which stops every commit of a
-- coordinator; then the log, so that no fact comes.

-- drop: function flowledger.set_shard_count(integer, text[])
create or replace function flowledger.set_shard_count(p_shards integer, p_topics text[])
returns integer
language plpgsql
volatile
as $$
declare
    v_end bigint := 0;
    v_epoch bigint;
    v_was_led boolean;
    v_found integer;
    v_behind record;
    v_missing integer;
begin
    lock table flowledger.shard in share row exclusive mode;
    perform flowledger.lock_log();

    select m into v_missing from flowledger.missing_shards() as m limit 1;
    if found then
        raise exception 'shard % has no row in flowledger.shard, which `flowledger repair --all` makes'
            ' again', v_missing using errcode = 'FL005';
    end if;

    select s.shards, greatest(max(flowledger.bounded_count(s.epoch)), 0), bool_or(s.epoch <> 0)
    into v_found, v_epoch, v_was_led
    from flowledger.counted_shards() as s
    group by s.shards;

    if v_found = p_shards then
        return v_found;
    end if;

    if v_was_led then
        select s.shard into v_behind
        from flowledger.counted_shards() as s
        where exists (
            select from flowledger.facts_of_shard(s.shard, s.shards, flowledger.undecided_from(s.shard), 1, p_topics)
        )
        order by s.shard
        limit 1;
        if found then
            raise exception 'shard % has facts that are not decided on', v_behind.shard
                using errcode = 'FL005';
        end if;
        v_epoch := v_epoch + 1;
        select coalesce(max(e.notification_id), 0) into v_end from flowledger.event as e;
    end if;

    insert into flowledger.queue_lane (shard, lane)
    select distinct 0, l.lane
    from flowledger.queue_lane as l
    where l.shard not between 0 and p_shards - 1
    on conflict do nothing;
    delete from flowledger.queue_lane where shard not between 0 and p_shards - 1;

    delete from flowledger.shard where shard not between 0 and p_shards - 1;
    insert into flowledger.shard as s (shard, position, epoch, lease_until, shards)
    select i, v_end, v_epoch, flowledger.clock(), p_shards
    from generate_series(0, p_shards - 1) as i
    on conflict (shard) do update
    set position = v_end, created_from = null, epoch = v_epoch, leader = null, lease_until = excluded.lease_until,
        lease_seconds = 0, shards = p_shards;

    perform pg_notify('flowledger.shard', '');
    return v_found;
end
$$;
