-- Why the coordinator leaves a task alone, and since when; nothing where it does not.

create or replace function flowledger.parked_task_details(p_task uuid)
returns table (reason text, parked_at timestamptz, tried_at timestamptz, wanted boolean)
language sql
stable
as $$
    select k.reason, k.parked_at, k.tried_at, k.wanted
    from flowledger.parked_task as k
    where k.task_id = p_task;
$$;
