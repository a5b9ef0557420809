-- Set the timers of steps from a JSON array of rows; a step has at most one. Locks: timer rows.

create or replace function flowledger.store_timers(p_rows json)
returns void
language sql
volatile
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    merge into flowledger.timer as t
    using json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, step text, kind text, due_at timestamptz
    )
    on t.step_id = r.step_id
    when matched then update set kind = r.kind, due_at = r.due_at
    when not matched then insert (step_id, task_id, step, kind, due_at)
    values (r.step_id, r.task_id, r.step, r.kind, r.due_at);
$$;
