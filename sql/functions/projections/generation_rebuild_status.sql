-- How the rebuild of a whole projection stands, which makes a generation of it: done as soon as that
-- or a later one serves, cancelled where it was given up. error is why it waits. No row for a
-- generation that there never was; the first one is nobody's rebuild.

create or replace function flowledger.generation_rebuild_status(p_generation bigint, p_name text)
returns table (state text, tasks bigint, error text)
language sql
stable
as $$
    with known as (
        select
            max(p.generation) as newest,
            max(p.generation) filter (where p.state = 'serving') as serving,
            max(p.generation) filter (where p.state = 'building') as building,
            max(p.failure) filter (where p.state = 'building') as failure
        from flowledger.projection as p
        where p.name = p_name
    )

    select
        case
            when k.building = p_generation then 'asked'
            when k.serving >= p_generation then 'done'
            else 'cancelled'
        end,
        0::bigint,
        case when k.building = p_generation then k.failure end
    from known as k
    where p_generation between 2 and k.newest;
$$;
