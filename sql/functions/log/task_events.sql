-- The whole history of a task, in log order: its own stream and its steps' streams.
--
-- A step's id is its task's with another version digit and other low bits, so both lie in two
-- narrow ranges of the primary key; task_id tells apart what shares the time and the bits behind.

create or replace function flowledger.task_events(p_task uuid)
returns setof flowledger.event
language sql
stable
as $$
    select e.*
    from flowledger.event as e
    where (
        e.originator_id = p_task
        or e.originator_id
            between flowledger.step_id_lower_bound(p_task)
                and flowledger.step_id_upper_bound(p_task)
    )
    and e.task_id = p_task
    order by e.notification_id;
$$;
