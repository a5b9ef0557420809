-- Move shards whose position lies behind the end of the log back to its end, and have each open
-- task of theirs looked at anew, since nobody knows which facts were passed over. Returns how many
-- shards there were. For a caller who has locked all shards (make_shard_leaders_reload). Locks: parked tasks,
-- the log.

create or replace function flowledger.repair_shard_positions()
returns bigint
language plpgsql
volatile
as $$
declare
    v_end bigint;
    v_shards integer[];
begin
    perform flowledger.lock_log();
    select coalesce(max(e.notification_id), 0) into v_end from flowledger.event as e;

    with moved as (
        update flowledger.shard as s
        set position = v_end
        where s.position > v_end
        returning s.shard
    )

    select array_agg(m.shard) into v_shards from moved as m;

    insert into flowledger.parked_task as k (task_id, reason, parked_at, tried_at, wanted)
    select
        e.originator_id, 'the position of its shard was beyond the log', flowledger.clock(),
        flowledger.clock(), true
    from flowledger.event as e
    left join flowledger.task as t on t.task_id = e.originator_id
    cross join flowledger.shard as s
    where v_shards is not null
        and e.originator_version = 1 and e.task_id = e.originator_id and t.ended_at is null
        and s.shard = flowledger.shard_of(e.originator_id, s.shards) and s.shard = any (v_shards)
    order by e.originator_id
    on conflict (task_id) do update
    set wanted = true;

    return coalesce(cardinality(v_shards), 0);
end
$$;
