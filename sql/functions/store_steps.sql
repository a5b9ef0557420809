-- Store the readiness of steps from a JSON array of rows. Locks: step rows.

create or replace function flowledger.store_steps(p_rows json)
returns void
language sql
volatile
as $$
    insert into flowledger.step as s (task_id, step, state, attempt, stream_version, due_at)
    select r.task_id, r.step, r.state, r.attempt, r.version, r.due_at
    from json_to_recordset(p_rows) as r (
        task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
    )
    on conflict (task_id, step) do update
    set state = excluded.state,
        attempt = excluded.attempt,
        stream_version = excluded.stream_version,
        due_at = excluded.due_at;
$$;
