-- Build a projection anew, beside the generation that serves, from the tables that it was given.
-- Returns the new generation, or the one that is being built already, and whether it was begun now;
-- null where there is no such projection. Locks: one for all projections.
-- drop: function flowledger.start_rebuild(text)

create or replace function flowledger.start_rebuild(
    p_name text, out generation integer, out begun boolean
)
language plpgsql
volatile
as $$
begin
    lock table flowledger.projection_lock in share update exclusive mode;

    select b.generation into generation
    from flowledger.projection as b
    where b.name = p_name and b.state = 'building';

    begun := not found;
    if not begun then
        return;
    end if;

    select flowledger.create_generation(p.name, p.version, p.tables, true, p.role is not null)
    into generation
    from flowledger.projection as p
    where p.name = p_name and p.state = 'serving';

    begun := generation is not null;
end
$$;
