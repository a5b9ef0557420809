-- How far the coordinator of the task's shard has come: every fact about the task up to this
-- position has been decided on.
-- drop: function flowledger.shard_position_of_task()

create or replace function flowledger.shard_position_of_task(p_task uuid)
returns bigint
language sql
stable
as $$
    select coalesce(max(s.position), 0)
    from flowledger.shard as s
    where s.shard = flowledger.shard_of(p_task, s.shards);
$$;
