-- A task with its counts, its words and all its steps, as one object; null where no coordinator has
-- seen it. The steps are in the template's order.
--
-- For everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.task_summary(task uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_known_tasks(task_summary.task);

    return (
        select
            jsonb_build_object(
                'task_id', t.task_id,
                'namespace', t.namespace,
                'template', t.template,
                'version', t.version,
                'paused', t.paused,
                'priority', t.priority,
                'correlation_id', coalesce(t.correlation_id, t.task_id::text),
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
                jsonb_build_object(
                    'number', s.number, 'level', s.level, 'dependencies', s.dependencies
                )
            ) as steps
            from flowledger.template_step as s
            where s.template_id = t.template_id
        ) as p
        where t.task_id = task_summary.task
    );
end
$$;

comment on function flowledger_v1.task_summary(uuid) is
    'A task with its counts, its words and all its steps, as one object; null where no '
    'coordinator has seen it.
Example: select jsonb_pretty(flowledger_v1.task_summary(''01890a5d-ac96-774b-bcce-b302099a8057''))';
