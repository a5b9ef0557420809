-- Whether a task was submitted, be it seen by the coordinator or not.

create or replace function flowledger.task_exists(p_task uuid)
returns boolean
language sql
stable
as $$
    select exists (select from flowledger.event as e where e.originator_id = p_task)
        or exists (select from flowledger.submission as s where s.task_id = p_task);
$$;
