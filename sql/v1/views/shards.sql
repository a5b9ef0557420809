-- The shards, who leads them and how far they are.

create or replace view flowledger_v1.shards as
select
    s.shard, s.shards, s.leader, c.host, c.pid, s.epoch, s."position",
    (
        select count(*)
        from (
            select
            from flowledger.event as e
            where e.notification_id > least(s."position", s.created_from)
                and e.topic = any (flowledger.fact_topics())
                and (e.task_id is null or flowledger.shard_of(e.task_id, s.shards) = s.shard)
            limit 1000
        ) as f
    ) as behind,
    flowledger.readable_time(s.lease_until) as lease_until,
    s.leader is not null and s.lease_until >= clock_timestamp() + o.shift
    and s.lease_until <= clock_timestamp() + o.shift
    + make_interval(secs => flowledger.bounded_lease_seconds(s.lease_seconds) + 1) as led
from flowledger.shard as s
cross join (
    select coalesce(max(c.shift), '0') as shift
    from flowledger.clock_offset as c
) as o
left join flowledger.coordinator as c on c.coordinator_id = s.leader;

comment on view flowledger_v1.shards is
    'The shards among which the tasks are shared out, and the coordinators that lead them.
Example: select shard, host, pid, behind from flowledger_v1.shards where not led or behind > 100';
comment on column flowledger_v1.shards.shard is 'The number of the shard, from 0.';
comment on column flowledger_v1.shards.shards is 'How many there are.';
comment on column flowledger_v1.shards.leader is 'The coordinator that leads it or was the last to.';
comment on column flowledger_v1.shards.host is 'Where that runs.';
comment on column flowledger_v1.shards.pid is 'Its process there.';
comment on column flowledger_v1.shards.epoch is 'How often the leader has changed.';
comment on column flowledger_v1.shards.position is 'The shard''s facts up to there are decided on, but for some tasks that were just created, which count as behind.';
comment on column flowledger_v1.shards.behind is 'How many facts are not; counted up to 1000.';
comment on column flowledger_v1.shards.lease_until is 'When another may lead it.';
comment on column flowledger_v1.shards.led is 'Whether that time is still to come.';
