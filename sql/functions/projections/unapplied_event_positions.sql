-- The positions of all events that are not in a generation's rows although it has passed them.

create or replace function flowledger.unapplied_event_positions(p_name text, p_generation integer)
returns setof bigint
language sql
stable
as $$
    select k.position from flowledger.parked_event as k
    where k.name = p_name and k.generation = p_generation;
$$;
