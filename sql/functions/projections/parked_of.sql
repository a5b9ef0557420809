-- The events that a generation put aside and that were not dropped, in the order of the log, with
-- what an operator wants.

create or replace function flowledger.parked_of(p_name text, p_generation integer)
returns table ("position" bigint, task_id uuid, requested_action text)
language sql
stable
as $$
    select k.position, k.task_id, k.requested_action
    from flowledger.parked_event as k
    where k.name = p_name and k.generation = p_generation and k.requested_action
        is distinct from 'dropped'
    order by k.position;
$$;
