-- Steps of open tasks that should be in the queue and are not: readiness says enqueued, and no queue
-- row exists. One that has ended meanwhile may be among them; the version of its row refuses it.

create or replace function flowledger.unqueued_steps(p_limit integer)
returns table (task_id uuid, step text)
language sql
stable
as $$
    select s.task_id, s.step
    from flowledger.task as t
    join flowledger.step as s on s.task_id = t.task_id
    where t.ended_at is null
        and s.state = 'enqueued'
        and not exists (
            select from flowledger.queue as q where q.task_id = s.task_id and q.step = s.step
        )
    limit p_limit;
$$;
