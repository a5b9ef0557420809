-- Keep steps that were not admitted, from a JSON array of rows. Locks: waiting steps.

create or replace function flowledger.store_waiting_steps(p_rows json)
returns void
language sql
volatile
as $$
    insert into flowledger.waiting_step
        (step_id, task_id, step, kind, limit_key, sort_key, since, until, demand)
    select x.step_id, x.task_id, x.step, x.kind, x.limit_key, x.sort_key, x.since, x.until, x.demand
    from json_to_recordset(p_rows) as x (
        step_id uuid, task_id uuid, step text, kind text, limit_key text, sort_key double precision,
        since timestamptz, until timestamptz, demand jsonb
    )
    on conflict (step_id) do update
    set kind = excluded.kind, limit_key = excluded.limit_key, sort_key = excluded.sort_key,
        since = excluded.since, until = excluded.until, demand = excluded.demand;
$$;
