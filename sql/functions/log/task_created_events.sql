-- The first event of each of these tasks: its creation, with the context.

create or replace function flowledger.task_created_events(p_tasks uuid[])
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from flowledger.event as e
    where e.originator_id = any (p_tasks) and e.originator_version = 1;
$$;
