-- The engine's time, and when something falls due by it (null: nothing will): the next timer of one
-- of p_shards shards, those of parked tasks left out, or the moment in which a worker's lease has run
-- out.
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
        least(
            (
                select t.due_at
                from flowledger.timer as t
                where (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
                    and not exists (
                        select from flowledger.parked_task as k where k.task_id = t.task_id
                    )
                order by t.due_at
                limit 1
            ),
            (
                select min(w.lease_until) + interval '1 ms'
                from flowledger.worker as w
                where w.lease_until >= flowledger.clock()
            )
        );
$$;
