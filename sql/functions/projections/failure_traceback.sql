-- Where a generation of a projection raised on the event at a position, be it that it stands there
-- or that it put the event aside; null where nobody knows.

create or replace function flowledger.failure_traceback(
    p_name text, p_generation integer, p_position bigint
)
returns text
language sql
stable
as $$
    select coalesce(
        (
            select p.failure_traceback from flowledger.projection as p
            where p.name = p_name and p.generation = p_generation
                and p.failed_position = p_position
        ),
        (
            select k.traceback from flowledger.parked_event as k
            where k.name = p_name and k.generation = p_generation and k.position = p_position
        )
    );
$$;
