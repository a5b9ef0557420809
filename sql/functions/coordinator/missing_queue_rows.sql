-- Steps of open tasks of one of p_shards shards that should be in the queue and are not: readiness
-- says that they are queued or run, and no queue row exists. One that has ended meanwhile may be
-- among them; the version of its row refuses it. Those of parked tasks are left out.
--
-- The queue is read task by task, by the primary key, whatever the planner believes of it: it may
-- be long where the statistics know of ended tasks only.
-- drop: function flowledger.missing_queue_rows(integer)

create or replace function flowledger.missing_queue_rows(
    p_limit integer, p_shard integer default 0, p_shards integer default 1
)
returns table (task_id uuid, step text)
language sql
stable
as $$
    select t.task_id, s.step
    from flowledger.task as t
    cross join lateral (
        select a.step
        from flowledger.step as a
        where a.task_id = t.task_id and a.state in ('enqueued', 'in_progress')
        except
        select q.step
        from flowledger.queue as q
        where q.step_id
            between flowledger.step_id_lower_bound(t.task_id)
                and flowledger.step_id_upper_bound(t.task_id)
            and q.task_id = t.task_id
    ) as s
    where t.ended_at is null
        and (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
        and not exists (select from flowledger.parked_task as k where k.task_id = t.task_id)
    limit p_limit;
$$;
