-- Set the timers of steps from a JSON array of rows; a step has at most one. Locks: timer rows.

create or replace function flowledger.upsert_timers(p_rows json)
returns void
language plpgsql
volatile
as $$
declare
    r record;
begin
    for r in
        select *
        from json_to_recordset(p_rows) as x (
            step_id uuid, task_id uuid, step text, kind text, due_at timestamptz
        )
    loop
        update flowledger.timer as t
        set kind = r.kind, due_at = r.due_at
        where t.step_id = r.step_id;

        if not found then
            insert into flowledger.timer (step_id, task_id, step, kind, due_at)
            values (r.step_id, r.task_id, r.step, r.kind, r.due_at);
        end if;
    end loop;
end
$$;
