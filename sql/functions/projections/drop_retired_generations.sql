-- Drop the tables of retired generations of a projection, with their rows here; the row of the
-- newest stays, or its number would be given again. Returns how many.
-- What somebody reads stays for the next time. Locks: the tables.

create or replace function flowledger.drop_retired_generations(p_name text)
returns integer
language plpgsql
volatile
as $$
declare
    v_dropped integer := 0;
    v_newest integer;
    v_schema text;
    r record;
begin
    perform set_config('lock_timeout', '100ms', true);

    select max(p.generation) into v_newest from flowledger.projection as p where p.name = p_name;

    for r in
        select p.generation from flowledger.projection as p
        where p.name = p_name and p.state = 'retired'
        order by p.generation
        for update
    loop
        v_schema := p_name || '__' || r.generation;
        continue when r.generation = v_newest and to_regnamespace(quote_ident(v_schema)) is null;

        begin
            execute format('drop schema if exists %I cascade', v_schema);
            delete from flowledger.parked_event as e where e.name = p_name
            and e.generation = r.generation;
            delete from flowledger.projection as p
            where p.name = p_name and p.generation = r.generation and p.generation < v_newest;
            v_dropped := v_dropped + 1;
        exception
            when lock_not_available then
                null;  -- somebody still reads it
        end;
    end loop;

    return v_dropped;
end
$$;
