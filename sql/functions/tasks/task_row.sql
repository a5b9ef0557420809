-- A task's row; none where the coordinator has not seen the task.
-- drop: function flowledger.task_row(uuid)

create or replace function flowledger.task_row(p_task uuid)
returns table (
    task_id uuid, template_id uuid, namespace text, template text, version text, state text,
    stream_version bigint, paused boolean, priority integer, correlation_id text,
    created_at timestamptz, ended_at timestamptz, fairness_key text
)
language sql
stable
as $$
    select
        t.task_id, t.template_id, t.namespace, t.template, t.version, t.state,
        t.stream_version, t.paused, t.priority, coalesce(t.correlation_id, t.task_id::text),
        t.created_at, t.ended_at, t.fairness_key
    from flowledger.task as t
    where t.task_id = p_task;
$$;
