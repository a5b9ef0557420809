-- Steps of one of p_shards shards that are queued and that no worker has claimed, of these
-- templates or of steps that depend on these systems. What would be claimed last comes first:
-- whoever takes them out of the queue then meets the workers as late as can be. Those of parked
-- tasks are left out.

create or replace function flowledger.steps_to_withdraw(
    p_templates uuid[], p_systems text[], p_limit integer, p_shard integer, p_shards integer
)
returns table (task_id uuid, step text)
language sql
stable
as $$
    select q.task_id, q.step
    from flowledger.queue as q
    where q.worker_id is null
        and (
            q.template_id = any (p_templates)
            or (q.template_id, q.step) in (
                select s.template_id, s.step
                from flowledger.template_step as s
                where s.system = any (p_systems)
            )
        )
        and (p_shards = 1 or flowledger.shard_of(q.task_id, p_shards) = p_shard)
        and not exists (select from flowledger.parked_task as k where k.task_id = q.task_id)
    order by q.sort_key desc, q.queued desc
    limit p_limit;
$$;
