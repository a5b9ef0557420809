-- Steps of one of p_shards shards that were claimed by workers whose lease has run out; with
-- p_orphans also by workers that nobody knows, which reads the whole queue and is not for every
-- second.
-- Those of parked tasks are left out.
-- drop: function flowledger.steps_of_dead_workers(integer, boolean)

create or replace function flowledger.steps_of_dead_workers(
    p_limit integer, p_orphans boolean default true, p_shard integer default 0,
    p_shards integer default 1
)
returns table (task_id uuid, step text, worker_id uuid)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
    if p_orphans or exists (select from flowledger.worker
    where lease_until < flowledger.clock()) then
        return query
        select q.task_id, q.step, q.worker_id
        from flowledger.queue as q
        left join flowledger.worker as w on w.worker_id = q.worker_id
        where q.worker_id is not null
            and (p_shards = 1 or flowledger.shard_of(q.task_id, p_shards) = p_shard)
            and (w.worker_id is null or w.lease_until < flowledger.clock())
            and not exists (
                select from flowledger.parked_task as k where k.task_id = q.task_id
            )
        limit p_limit;
    end if;
end
$$;
