-- A task as it was decided up to a position: its creation, its facts up to there, all decisions.

create or replace function flowledger.decided_task_events(
    p_task uuid, p_position bigint, p_decisions text[]
)
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from flowledger.task_events(p_task) as e
    where e.notification_id <= p_position or e.topic = any (p_decisions);
$$;
