-- Whether a lease stands that ends at p_until and was given for p_seconds, null where nobody knows.
-- One that ends later than it can have been given for is of a clock that was ahead, and says nothing
-- of who is there.

create or replace function flowledger.lease_is_unexpired(
    p_until timestamptz, p_seconds double precision
)
returns boolean
language sql
stable
as $$
    select coalesce(
        p_until >= flowledger.clock()
        and p_until <= flowledger.clock()
        + make_interval(secs => flowledger.bounded_lease_seconds(p_seconds) + 1),
        false
    );
$$;
