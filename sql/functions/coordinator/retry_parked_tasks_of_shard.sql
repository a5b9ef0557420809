-- The parked tasks of one of p_shards shards, for its new leader, who tries all of them again.

create or replace function flowledger.retry_parked_tasks_of_shard(p_shard integer, p_shards integer)
returns setof uuid
language sql
volatile
as $$
    update flowledger.parked_task as k
    set wanted = true
    where p_shards = 1 or flowledger.shard_of(k.task_id, p_shards) = p_shard
    returning k.task_id;
$$;
