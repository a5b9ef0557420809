-- Queue steps from a JSON array of rows and wake the workers. A step that is queued already is
-- queued anew, claimed by nobody. Locks: queue rows.
--
-- Merge instead of insert on conflict, here and in the other functions that store rows: the
-- coordinator is the only writer of new rows, and a speculative insert costs a third more WAL. The
-- plan is held to the primary key: one that was made while the table was small would scan it for ever.

create or replace function flowledger.enqueue_steps(p_rows json)
returns void
language plpgsql
volatile
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    merge into flowledger.queue as q
    using json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, template_id uuid, version bigint, priority integer,
        attempt integer, step text, correlation text
    )
    on q.step_id = r.step_id
    when matched then update
    set stream_version = r.version,
        attempt = r.attempt,
        queued = default,
        worker_id = null
    when not matched then insert
        (step_id, task_id, template_id, stream_version, priority, attempt, step, correlation_id)
    values
        (r.step_id, r.task_id, r.template_id, r.version, r.priority, r.attempt, r.step, r.correlation);

    perform pg_notify('flowledger.queue', '');
end
$$;
