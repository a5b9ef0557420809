-- When a step is tried again; null where it does not wait for a retry. The time may be past: a
-- pause or a limit holds the step then, or the coordinator has not come to it yet.

create or replace function flowledger.next_retry_at(p_task uuid, p_step text)
returns timestamptz
language sql
stable
as $$
    select s.due_at
    from flowledger.step as s
    where s.task_id = p_task and s.step = p_step and s.state = 'waiting_for_retry';
$$;
