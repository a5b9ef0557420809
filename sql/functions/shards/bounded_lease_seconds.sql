-- How long a lease is, in seconds, as a number that can be reckoned with, whatever whoever holds it
-- has written: 0 to 2000000, the longest that can be configured, NaN being more than all; that, too,
-- where nobody knows. One expression, so that the planner puts it in the place of a call.

create or replace function flowledger.bounded_lease_seconds(p_seconds double precision)
returns double precision
language sql
immutable
as $$
    select least(greatest(coalesce(p_seconds, 2000000), 0), 2000000);
$$;
