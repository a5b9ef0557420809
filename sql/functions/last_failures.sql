-- When each step of a task failed last, as an object: the names of steps, and times. From the task's
-- part of the log, so that it costs what the task's history is long. Events that are compressed or
-- encrypted are passed over.
--
-- Fields are taken as json: jsonb refuses a payload with an escaped zero anywhere in it.

create or replace function flowledger.last_failures(p_task uuid)
returns jsonb
language plpgsql
stable
as $$
begin
    return (
        select jsonb_object_agg(f.step, f.failed_at)
        from (
            select
                (e.payload -> 'step')::jsonb #>> '{}' as step,
                max(((e.payload -> 'occurred_at')::jsonb #>> '{}')::timestamptz) as failed_at
            from (
                select convert_from(l.state, 'UTF8')::json as payload
                from flowledger.event as l
                where l.originator_id
                    between flowledger.least_step_id(p_task) and flowledger.greatest_step_id(p_task)
                and l.task_id = p_task
                and l.topic in ('step.failed', 'step.timed_out', 'step.lease_expired')
                and l.encoding = 0
                offset 0
            ) as e
            group by 1
        ) as f
    );
end
$$;
