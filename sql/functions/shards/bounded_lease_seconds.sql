-- How long a lease is, in seconds, as a number that can be reckoned with, whatever whoever holds it
-- has written: 0 to 2000000, the longest that can be configured. Where nobody knows, or it is no
-- number, a minute: a lease that nobody renews is not to stand for weeks. One expression, so that the
-- planner puts it in the place of a call.

create or replace function flowledger.bounded_lease_seconds(p_seconds double precision)
returns double precision
language sql
immutable
as $$
    select least(greatest(coalesce(nullif(p_seconds, 'NaN'), 60), 0), 2000000);
$$;
