-- Queue steps from a JSON array of rows and wake the workers. A step that is queued already is
-- queued anew, claimed by nobody. Locks: queue rows.

create or replace function flowledger.enqueue_steps(p_rows json)
returns void
language plpgsql
volatile
as $$
begin
    insert into flowledger.queue as q
        (step_id, task_id, template_id, stream_version, priority, attempt, step, correlation_id)
    select r.step_id, r.task_id, r.template_id, r.version, r.priority, r.attempt, r.step, r.correlation
    from json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, template_id uuid, version bigint, priority integer,
        attempt integer, step text, correlation text
    )
    on conflict (step_id) do update
    set stream_version = excluded.stream_version,
        attempt = excluded.attempt,
        queued = default,
        worker_id = null;

    perform pg_notify('flowledger.queue', '');
end
$$;
