-- The generation of a projection that serves, its version and its position; no row: none serves.

create or replace function flowledger.serving_generation(p_name text)
returns table (generation integer, version integer, "position" bigint)
language sql
stable
as $$
    select p.generation, p.version, p.position from flowledger.projection as p
    where p.name = p_name and p.state = 'serving';
$$;
