-- A task with its counts, its words and all its steps, as one object; null where no coordinator has
-- seen it. The steps are in the template's order.

create or replace function flowledger.task_summary(p_task uuid)
returns jsonb
language sql
stable
as $$
    select
        jsonb_build_object(
            'task_id', t.task_id,
            'namespace', t.namespace,
            'template', t.template,
            'version', t.version,
            'paused', t.paused,
            'priority', t.priority,
            'correlation_id', t.correlation_id,
            'created_at', t.created_at,
            'ended_at', t.ended_at
        )
        || (to_jsonb(c) - 'task_id')
        || jsonb_build_object(
            'steps', (
                select coalesce(
                    jsonb_agg(
                        to_jsonb(r) - 'task_id' || (p.steps -> r.step)
                        order by (p.steps -> r.step -> 'number')::integer
                    ),
                    '[]'
                )
                from flowledger.step_readiness(t.task_id) as r
            )
        )
    from flowledger.task as t
    cross join lateral flowledger.task_execution_context(t.task_id) as c
    cross join lateral (
        select jsonb_object_agg(
            s.step,
            jsonb_build_object('number', s.number, 'level', s.level, 'dependencies', s.dependencies)
        ) as steps
        from flowledger.template_step as s
        where s.template_id = t.template_id
    ) as p
    where t.task_id = p_task;
$$;
