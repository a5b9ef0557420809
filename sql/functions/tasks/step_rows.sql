-- The rows of a task's steps; a step without one is pending.

create or replace function flowledger.step_rows(p_task uuid)
returns table (
    step text, state text, attempt integer, stream_version bigint, due_at timestamptz
)
language sql
stable
as $$
    select s.step, s.state, s.attempt, s.stream_version, s.due_at
    from flowledger.step as s
    where s.task_id = p_task;
$$;
