-- Give up what is being built of a projection, and rebuilds of tasks that are not done. Returns how
-- many. Locks: their rows.

create or replace function flowledger.cancel_rebuilds(p_name text)
returns bigint
language sql
volatile
as $$
    select pg_notify('flowledger.projection', p_name);

    with given_up as (
        update flowledger.projection as p
        set state = 'retired', leader = null
        where p.name = p_name and p.state = 'building'
        returning 1
    ),

    cancelled as (
        update flowledger.projection_rebuild as r
        set state = 'cancelled', ended_at = flowledger.clock()
        where r.name = p_name and r.state = 'asked'
        returning 1
    )

    select (select count(*) from given_up) + (select count(*) from cancelled);
$$;
