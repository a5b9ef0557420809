-- When each step of a task failed last, as an object: the names of steps, and times. From the
-- task's part of the log, so that it costs what the task's history is long. Events that are
-- compressed or encrypted are passed over.

create or replace function flowledger.last_failure_times(p_task uuid)
returns jsonb
language plpgsql
stable
as $$
begin
    return (
        select jsonb_object_agg(f.step, f.failed_at)
        from (
            select
                e.payload ->> 'step' as step,
                max(
                    case
                        when pg_input_is_valid(e.payload ->> 'occurred_at', 'timestamptz')
                            then (e.payload ->> 'occurred_at')::timestamptz
                    end
                ) as failed_at
            from (
                select flowledger.payload_json(l.state, l.encoding) as payload
                from flowledger.event as l
                where l.originator_id
                    between flowledger.step_id_lower_bound(p_task)
                        and flowledger.step_id_upper_bound(p_task)
                and l.task_id = p_task
                and l.topic in ('step.attempt_failed', 'step.timed_out', 'step.lease_expired')
                offset 0
            ) as e
            where e.payload ->> 'step' is not null
            group by 1
        ) as f
    );
end
$$;
