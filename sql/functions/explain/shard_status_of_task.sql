-- Who leads the shard of a task and how far it has come, the last position of the log, and the
-- engine's time. `leader` is null where nobody leads, and
-- `lease_until` where that is not since a lease ended; `position` where the shard's row is gone.

create or replace function flowledger.shard_status_of_task(p_task uuid)
returns table (
    shard integer, "position" bigint, leader uuid, host text, pid integer,
    lease_until timestamptz, head bigint, now timestamptz
)
language sql
stable
as $$
    select
        n.shard, case when s.shard is not null then flowledger.shard_position_of_task(p_task) end,
        case when l.led then s.leader end,
        c.host, c.pid,
        case
            when l.led or s.lease_until <= flowledger.clock() then nullif(s.lease_until, '-infinity')
        end,
        coalesce((select max(e.notification_id) from flowledger.event as e), 0),
        flowledger.clock()
    from (select flowledger.shard_of(p_task, flowledger.shard_count()) as shard) as n
    left join flowledger.shard as s on s.shard = n.shard
    left join flowledger.coordinator as c on c.coordinator_id = s.leader
    cross join lateral (
        select flowledger.shard_is_led(s.leader, s.lease_until, s.lease_seconds) as led
    ) as l;
$$;
