-- Queue steps from a JSON array of rows and wake the workers. Raises 23505 where a step is queued
-- already: who queues a step anew drops its row first. Locks: queue rows.

create or replace function flowledger.enqueue_steps(p_rows json)
returns void
language plpgsql
volatile
as $$
begin
    insert into flowledger.queue
        (step_id, task_id, template_id, stream_version, sort_key, attempt, resets, step,
        correlation_id,
        exclusive)
    select
        r.step_id, r.task_id, r.template_id, r.version, r.sort_key, r.attempt, r.resets, r.step,
        r.correlation, coalesce(r.exclusive, false)
    from json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, template_id uuid, version bigint,
        sort_key double precision, attempt integer, resets integer, step text, correlation text,
        exclusive boolean
    );

    perform pg_notify('flowledger.queue', '');
end
$$;
