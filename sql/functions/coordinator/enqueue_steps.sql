-- Queue steps from a JSON array of rows and wake the workers. Raises 23505 where a step is queued
-- already: who queues a step anew drops its row first. Locks: queue rows.

create or replace function flowledger.enqueue_steps(p_rows json)
returns void
language plpgsql
volatile
as $$
begin
    insert into flowledger.queue
        (step_id, task_id, template_id, stream_version, turn, attempt, resets, step, correlation_id,
        alone)
    select
        r.step_id, r.task_id, r.template_id, r.version, r.turn, r.attempt, r.resets, r.step,
        r.correlation, coalesce(r.alone, false)
    from json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, template_id uuid, version bigint,
        turn double precision, attempt integer, resets integer, step text, correlation text,
        alone boolean
    );

    perform pg_notify('flowledger.queue', '');
end
$$;
