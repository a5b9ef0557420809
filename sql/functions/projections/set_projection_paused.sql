-- Let a projection stand still, or go on. Returns how many generations that concerns. One that
-- waits at an event it could not take tries it at once. Locks: their rows.

create or replace function flowledger.set_projection_paused(p_name text, p_paused boolean)
returns bigint
language sql
volatile
as $$
    select pg_notify('flowledger.projection', p_name);

    with changed as (
        update flowledger.projection as p
        set paused = p_paused, moved_at = flowledger.clock(),
            failures = case when p_paused then p.failures else 0 end
        where p.name = p_name and p.state <> 'retired'
        returning 1
    )

    select count(*) from changed;
$$;
