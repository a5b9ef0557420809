-- Where the serving generation of a projection is; null: none serves.

create or replace function flowledger.serving_position(p_name text)
returns bigint
language sql
stable
as $$
    select p.position from flowledger.projection as p
    where p.name = p_name and p.state = 'serving';
$$;
