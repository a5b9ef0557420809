-- Build a projection anew, beside the generation that serves, from the tables that it was given.
-- Returns the new generation, or the one that is being built already; null where there is no such
-- projection.

create or replace function flowledger.start_rebuild(p_name text)
returns integer
language sql
volatile
as $$
    select coalesce(
        (
            select b.generation from flowledger.projection as b
            where b.name = p_name and b.state = 'building'
        ),
        flowledger.create_generation(p.name, p.version, p.tables, true, p.role is not null)
    )
    from flowledger.projection as p
    where p.name = p_name and p.state = 'serving';
$$;
