-- Let a projection stand still, or go on. Returns how many generations that concerns, and whether
-- it changed one. One that waits at an event it could not take tries it at once. Locks: their rows.
-- drop: function flowledger.set_projection_paused(text, boolean)

create or replace function flowledger.set_projection_paused(
    p_name text, p_paused boolean, out concerned bigint, out changed boolean
)
language sql
volatile
as $$
    select pg_notify('flowledger.projection', p_name);

    with found as (
        select p.generation, p.paused <> p_paused or not p_paused and p.failures > 0 as changes
        from flowledger.projection as p
        where p.name = p_name and p.state <> 'retired'
        for update
    ),

    changed as (
        update flowledger.projection as p
        set paused = p_paused, moved_at = flowledger.clock(),
            failures = case when p_paused then p.failures else 0 end
        from found as f
        where p.name = p_name and p.generation = f.generation
        returning f.changes
    )

    select count(*), coalesce(bool_or(c.changes), false) from changed as c;
$$;
