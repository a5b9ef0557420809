-- Drop the tables of retired generations of a projection, with their rows here. Returns how many.
-- Locks: the tables; waits for whoever reads them no longer than lock_timeout says.

create or replace function flowledger.drop_projections(p_name text)
returns integer
language plpgsql
volatile
as $$
declare
    v_dropped integer := 0;
    v_generation integer;
begin
    for v_generation in
        select p.generation from flowledger.projection as p
        where p.name = p_name and p.state = 'retired'
            and p.generation < (
                select max(o.generation) from flowledger.projection as o where o.name = p_name
            )
        order by p.generation
        for update
    loop
        execute format('drop schema if exists %I cascade', p_name || '__' || v_generation);
        delete from flowledger.parked_event as e where e.name = p_name and e.generation = v_generation;
        delete from flowledger.projection as p where p.name = p_name and p.generation = v_generation;
        v_dropped := v_dropped + 1;
    end loop;

    return v_dropped;
end
$$;
