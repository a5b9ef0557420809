-- Timers whose time has come by the engine's clock, the longest due first.

create or replace function flowledger.due_timers(p_limit integer)
returns table (task_id uuid, step text, kind text)
language sql
stable
as $$
    select t.task_id, t.step, t.kind
    from flowledger.timer as t
    where t.due_at <= flowledger.clock()
    order by t.due_at
    limit p_limit;
$$;
