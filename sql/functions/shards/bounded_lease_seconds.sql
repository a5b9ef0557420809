-- How long a lease is, in seconds, as a number that can be reckoned with, whatever whoever holds it
-- has written: 0 to 1e9, NaN being more than all; null where nobody knows. One expression, so that
-- the planner puts it in the place of a call.

create or replace function flowledger.bounded_lease_seconds(p_seconds double precision)
returns double precision
language sql
immutable
as $$
    select case when p_seconds is not null then least(greatest(p_seconds, 0), 1e9) end;
$$;
