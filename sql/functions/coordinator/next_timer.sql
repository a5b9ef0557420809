-- The engine's time, and when the next timer of one of p_shards shards falls due (null: none is
-- set). Parked tasks are left out.
-- drop: function flowledger.next_timer()

create or replace function flowledger.next_timer(
    p_shard integer default 0, p_shards integer default 1
)
returns table (now timestamptz, due_at timestamptz)
language sql
stable
as $$
    select
        flowledger.clock(),
        (
            select t.due_at
            from flowledger.timer as t
            where (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
                and not exists (
                    select from flowledger.parked_task as k where k.task_id = t.task_id
                )
            order by t.due_at
            limit 1
        );
$$;
