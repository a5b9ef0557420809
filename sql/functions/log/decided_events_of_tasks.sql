-- Several tasks as they were decided up to a position, each in the order of the log.

create or replace function flowledger.decided_events_of_tasks(
    p_tasks uuid[], p_position bigint, p_decisions text[]
)
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.*
    from unnest(p_tasks) with ordinality as t (task, n)
    cross join lateral (
        select d.*
        from flowledger.decided_task_events(t.task, p_position, p_decisions) as d
    ) as e;
$$;
