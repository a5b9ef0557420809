-- Put events aside for a generation: what was said of each, and where it raised, where that is
-- known. Locks: none but the new rows.
-- drop: function flowledger.park_events(text, integer, bigint[], uuid[], text[])

create or replace function flowledger.park_events(
    p_name text, p_generation integer, p_positions bigint[], p_tasks uuid[], p_errors text[],
    p_tracebacks text[] default '{}'
)
returns void
language sql
volatile
as $$
    insert into flowledger.parked_event (name, generation, position, task_id, error, parked_at,
        traceback)
    select p_name, p_generation, e.position, e.task_id, e.error, flowledger.clock(), e.traceback
    from unnest(p_positions, p_tasks, p_errors, p_tracebacks)
        as e (position, task_id, error, traceback)
    on conflict do nothing;
$$;
