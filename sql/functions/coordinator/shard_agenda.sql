-- Whether time asks for anything of one of p_shards shards, so that nothing is read where it does
-- not: the engine's time; when the next timer falls due by it, those of parked tasks left out, and
-- when the first of the workers' leases runs out (null: never); and whether there are due timers,
-- workers whose lease has run out, submissions, and parked tasks that are to be tried again.
-- drop: function flowledger.next_timer()
-- drop: function flowledger.next_timer(integer, integer)

create or replace function flowledger.shard_agenda(
    p_shard integer default 0, p_shards integer default 1
)
returns table (
    now timestamptz, due_at timestamptz, silent_at timestamptz, timers boolean, lost boolean,
    submissions boolean, wanted boolean
)
language sql
stable
as $$
    select
        flowledger.clock(),
        n.due_at,
        flowledger.next_worker_silence(),
        coalesce(n.due_at <= flowledger.clock(), false),
        exists (select from flowledger.worker as w where w.lease_until < flowledger.clock()),
        exists (select from flowledger.pending_submissions(1, p_shard, p_shards)),
        exists (select from flowledger.parked_tasks_asked_to_retry(1, p_shard, p_shards))
    from (
        select (
            select t.due_at
            from flowledger.timer as t
            where (p_shards = 1 or flowledger.shard_of(t.task_id, p_shards) = p_shard)
                and not exists (
                    select from flowledger.parked_task as k where k.task_id = t.task_id
                )
            order by t.due_at
            limit 1
        ) as due_at
        offset 0
    ) as n;
$$;
