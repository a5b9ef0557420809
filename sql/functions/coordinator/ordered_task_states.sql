-- The states of a task that has a row, in the order in which they are counted:
-- flowledger.engine.domain.machine.transitions without `submitted`.

create or replace function flowledger.ordered_task_states()
returns text[]
language sql
immutable
parallel safe
as $$
    select '{pending,in_progress,waiting,blocked,complete,error,cancelled,resolved_manually}'::text[];
$$;
