-- The role by which a generation's tables are written; null: the engine's own.

create or replace function flowledger.generation_writer_role(p_name text, p_generation integer)
returns text
language sql
stable
as $$
    select p.role from flowledger.projection as p
    where p.name = p_name and p.generation = p_generation;
$$;
