-- The steps of a task that are ready and were not admitted to the queue, and what holds each.

create or replace function flowledger.find_held_steps(p_task uuid)
returns table (step text, kind text, limit_key text, since timestamptz, until timestamptz)
language sql
stable
as $$
    select h.step, h.kind, h.limit_key, h.since, h.until
    from flowledger.held_step as h
    where h.task_id = p_task
    order by h.step;
$$;
