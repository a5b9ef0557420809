-- The answers to those of the requests that were answered: the second event of each stream.

create or replace function flowledger.request_answers(p_requests uuid[])
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from flowledger.event as e
    where e.originator_id = any (p_requests) and e.originator_version = 2;
$$;
