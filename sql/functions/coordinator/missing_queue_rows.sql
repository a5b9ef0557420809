-- Steps of open tasks of one of p_shards shards that should be in the queue and are not: readiness
-- says that they are queued or run, and no queue row exists. A task of which the log has facts that
-- the shard has not come to yet is only behind, and is left out, as parked ones are.
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
        and not exists (
            select
            from flowledger.event as e
            where e.originator_id
                between flowledger.step_id_lower_bound(t.task_id)
                    and flowledger.step_id_upper_bound(t.task_id)
                and e.notification_id > coalesce((
                    select h.position from flowledger.shard as h where h.shard = p_shard
                ), 0)
                and e.topic = any (flowledger.fact_topics())
        )
    limit p_limit;
$$;
