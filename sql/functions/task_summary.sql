-- A task with its counts, its words and all its steps, as one object; null where no coordinator has
-- seen it.

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
            'ended_at', t.ended_at,
            'steps', (
                select coalesce(
                    jsonb_agg(
                        to_jsonb(r) - 'task_id'
                        || jsonb_build_object('level', p.level, 'dependencies', p.dependencies)
                        order by p.number
                    ),
                    '[]'
                )
                from flowledger.step_readiness(t.task_id) as r
                inner join flowledger.template_step as p
                    on p.template_id = t.template_id and p.step = r.step
            )
        )
        || (to_jsonb(c) - 'task_id')
    from flowledger.task as t
    cross join lateral flowledger.task_execution_context(t.task_id) as c
    where t.task_id = p_task;
$$;
