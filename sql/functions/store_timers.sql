-- Set the timers of steps from a JSON array of rows; a step has at most one. Locks: timer rows.

create or replace function flowledger.store_timers(p_rows json)
returns void
language sql
volatile
as $$
    insert into flowledger.timer as t (step_id, task_id, step, kind, due_at)
    select r.step_id, r.task_id, r.step, r.kind, r.due_at
    from json_to_recordset(p_rows) as r (
        step_id uuid, task_id uuid, step text, kind text, due_at timestamptz
    )
    on conflict (step_id) do update set kind = excluded.kind, due_at = excluded.due_at;
$$;
