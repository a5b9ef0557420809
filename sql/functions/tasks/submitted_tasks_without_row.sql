-- The tasks that no coordinator has taken on, with their first event: what applications left in
-- transactions of their own, what lies behind the position of the coordinator that is furthest
-- behind, and what was read and is parked. created_at is in the head of the payload; where that is
-- encrypted or cannot be read, the time in the task's id is taken.

create or replace function flowledger.submitted_tasks_without_row()
returns table (task_id uuid, created_at timestamptz, payload bytea, encoding smallint)
language sql
stable
as $$
    select
        x.task_id, flowledger.time_from_microseconds(x.time), x.state, x.encoding
    from (
        select
            u.task_id, u.state, u.encoding,
            coalesce(
                flowledger.payload_occurred_at(u.state, u.encoding),
                ('x' || left(replace(u.task_id::text, '-', ''), 12))::bit(48)::bigint * 1000
            ) as time
        from (
            select s.task_id, s.state, s.encoding
            from flowledger.submission as s
            union all
            select e.originator_id, e.state, e.encoding
            from flowledger.event as e
            where e.notification_id > (select coalesce(min(flowledger.undecided_from(s.shard)), 0) from flowledger.counted_shards() as s)
                and e.topic = 'task.created'
            union all
            select e.originator_id, e.state, e.encoding
            from flowledger.parked_task as k
            join flowledger.event as e on e.originator_id = k.task_id and e.originator_version = 1
            where e.notification_id <= (select coalesce(min(flowledger.undecided_from(s.shard)), 0) from flowledger.counted_shards() as s)
                and e.topic = 'task.created'
        ) as u
        where not exists (select from flowledger.task as t where t.task_id = u.task_id)
    ) as x;
$$;
