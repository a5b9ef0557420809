-- Put events aside for a generation. Locks: none but the new rows.

create or replace function flowledger.park_events(
    p_name text, p_generation integer, p_positions bigint[], p_tasks uuid[], p_errors text[]
)
returns void
language sql
volatile
as $$
    insert into flowledger.parked_event (name, generation, position, task_id, error, parked_at)
    select p_name, p_generation, e.position, e.task_id, e.error, flowledger.clock()
    from unnest(p_positions, p_tasks, p_errors) as e (position, task_id, error)
    on conflict do nothing;
$$;
