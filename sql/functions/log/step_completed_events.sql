-- The completion of each of these steps that has one, with the result: its own or an operator's.

create or replace function flowledger.step_completed_events(p_steps uuid[])
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from flowledger.event as e
    where e.originator_id = any (p_steps)
        and e.topic in ('step.completed', 'step.completed_manually');
$$;
