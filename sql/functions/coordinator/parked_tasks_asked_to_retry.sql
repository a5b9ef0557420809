-- Parked tasks of one of p_shards shards that are to be tried again, the longest parked first.
-- Those that are still left to the coordinator come with flowledger.pending_submissions.

create or replace function flowledger.parked_tasks_asked_to_retry(
    p_limit integer, p_shard integer default 0, p_shards integer default 1
)
returns setof uuid
language sql
stable
as $$
    select k.task_id
    from flowledger.parked_task as k
    where k.wanted
        and (p_shards = 1 or flowledger.shard_of(k.task_id, p_shards) = p_shard)
        and not exists (select from flowledger.submission as s where s.task_id = k.task_id)
    order by k.parked_at, k.task_id
    limit p_limit;
$$;
