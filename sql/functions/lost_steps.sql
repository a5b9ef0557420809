-- Steps claimed by workers whose lease has run out, or who have none.

create or replace function flowledger.lost_steps(p_limit integer)
returns table (task_id uuid, step text, worker_id uuid)
language sql
stable
as $$
    select q.task_id, q.step, q.worker_id
    from flowledger.queue as q
    left join flowledger.worker as w on w.worker_id = q.worker_id
    where q.worker_id is not null
        and (w.worker_id is null or w.lease_until < flowledger.clock())
    limit p_limit;
$$;
