-- Timers of one of p_shards shards whose time has come by the engine's clock, the longest due
-- first. Those of parked tasks are left out.
-- drop: function flowledger.due_timers(integer)

create or replace function flowledger.due_timers(
    p_limit integer, p_shard integer default 0, p_shards integer default 1
)
returns table (task_id uuid, step text, kind text)
language sql
stable
as $$
    select t.task_id, t.step, t.kind
    from flowledger.timer as t
    where t.due_at <= flowledger.clock()
        and (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
        and not exists (select from flowledger.parked_task as k where k.task_id = t.task_id)
    order by t.due_at
    limit p_limit;
$$;
