-- Steps of open tasks of one of p_shards shards that should be in the queue and are not: readiness
-- says that they are queued or run, and no queue row exists. One that has ended meanwhile may be among
-- them; the version of its row refuses it.
-- drop: function flowledger.unqueued_steps(integer)

create or replace function flowledger.unqueued_steps(
    p_limit integer, p_shard integer default 0, p_shards integer default 1
)
returns table (task_id uuid, step text)
language sql
stable
as $$
    select s.task_id, s.step
    from flowledger.task as t
    join flowledger.step as s on s.task_id = t.task_id
    where t.ended_at is null
        and s.state in ('enqueued', 'in_progress')
        and (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
        and not exists (
            select from flowledger.queue as q where q.task_id = s.task_id and q.step = s.step
        )
    limit p_limit;
$$;
