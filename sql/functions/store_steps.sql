-- Store the readiness of steps from a JSON array of rows. Locks: step rows.

create or replace function flowledger.store_steps(p_rows json)
returns void
language sql
volatile
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    merge into flowledger.step as s
    using json_to_recordset(p_rows) as r (
        task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
    )
    on s.task_id = r.task_id and s.step = r.step
    when matched then update
    set state = r.state, attempt = r.attempt, stream_version = r.version, due_at = r.due_at
    when not matched then insert (task_id, step, state, attempt, stream_version, due_at)
    values (r.task_id, r.step, r.state, r.attempt, r.version, r.due_at);
$$;
