-- Who leads the shard of a task and how far it has come, the last position of the log, and the
-- engine's time. `leader` is null where no lease stands.

create or replace function flowledger.shard_status_of_task(p_task uuid)
returns table (
    shard integer, "position" bigint, leader uuid, host text, pid integer,
    lease_until timestamptz, head bigint, now timestamptz
)
language sql
stable
as $$
    select
        s.shard, s.position,
        case when flowledger.lease_is_unexpired(s.lease_until, s.lease_seconds)
            then s.leader end,
        c.host, c.pid, nullif(s.lease_until, '-infinity'),
        coalesce((select max(e.notification_id) from flowledger.event as e), 0),
        flowledger.clock()
    from flowledger.shard as s
    left join flowledger.coordinator as c on c.coordinator_id = s.leader
    where s.shard = flowledger.shard_of(p_task, s.shards);
$$;
