-- Build a projection anew, beside the generation that serves, from the tables that it was given.
-- Returns the new generation; null where there is no such projection.

create or replace function flowledger.rebuild_projection(p_name text)
returns integer
language sql
volatile
as $$
    select flowledger.create_projection(p.name, p.version, p.tables, true, p.role is not null)
    from flowledger.projection as p
    where p.name = p_name and p.state = 'serving';
$$;
