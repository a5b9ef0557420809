-- The events that a generation put aside and that were not dropped, in the order of the log, with
-- what an operator wants. Those that an operator had it pass over are among them only while he
-- wants something of them.
-- drop: function flowledger.unresolved_parked_events(text, integer)

create or replace function flowledger.unresolved_parked_events(p_name text, p_generation integer)
returns table ("position" bigint, task_id uuid, requested_action text, skipped boolean)
language sql
stable
as $$
    select k.position, k.task_id, k.requested_action, k.skipped_at is not null
    from flowledger.parked_event as k
    where k.name = p_name and k.generation = p_generation and k.requested_action
        is distinct from 'dropped'
        and (k.skipped_at is null or k.requested_action is not null)
    order by k.position;
$$;
