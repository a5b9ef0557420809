-- Put shards whose position is p_found where the log says that they should stand. Where a position
-- was behind the end of the log, have each open task of the shard looked at anew, since nobody knows
-- which facts were passed over. Returns how many shards were moved: one that stands elsewhere by now
-- stays. For a caller who has locked all shards (make_shard_leaders_reload). Locks: parked tasks,
-- the log.
-- drop: function flowledger.repair_shard_positions()

create or replace function flowledger.repair_shard_positions(
    p_shards integer[], p_found bigint[], p_positions bigint[]
)
returns bigint
language plpgsql
volatile
as $$
declare
    v_end bigint;
    v_moved integer[];
begin
    perform flowledger.lock_log();
    select coalesce(max(e.notification_id), 0) into v_end from flowledger.event as e;

    with moved as (
        update flowledger.shard as s
        set position = m.position,
            -- what was left behind may have been forgotten while the position was too small
            created_from = case
                when m.position > m.found then least(s.created_from, m.found)
                when s.created_from < m.position then s.created_from
            end,
            -- one that restore_missing_shards made is led by nobody, and may be led now
            lease_until = case
                when exists (
                    select from flowledger.coordinator as c where c.coordinator_id = s.leader
                ) then s.lease_until
                else flowledger.clock()
            end
        from unnest(p_shards, p_found, p_positions) as m (shard, found, position)
        where s.shard = m.shard and s.position = m.found
        returning s.shard
    )

    select array_agg(m.shard) into v_moved from moved as m;

    insert into flowledger.parked_task as k (task_id, reason, parked_at, tried_at, wanted)
    select
        e.originator_id, 'how far its shard had come was not known', flowledger.clock(),
        flowledger.clock(), true
    from unnest(p_shards, p_found) as m (shard, found)
    join flowledger.shard as s on s.shard = m.shard
    join flowledger.event as e
        on m.shard = flowledger.shard_of(e.originator_id, s.shards)
        and e.originator_version = 1 and e.task_id = e.originator_id
    left join flowledger.task as t on t.task_id = e.originator_id
    where m.found > v_end and m.shard = any (v_moved) and t.ended_at is null
    order by e.originator_id
    on conflict (task_id) do update
    set wanted = true;

    return coalesce(cardinality(v_moved), 0);
end
$$;
