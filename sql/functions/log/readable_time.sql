-- The time, or the nearest to it that every client can read in its own time zone: from the second
-- day of the year 1 to the last of the year 9999, UTC. Whoever may write a time may write one that
-- is `infinity` or of a year that calendars lack, and a client would end at it, with all the other
-- rows. For every time in the public schema that somebody may write. One expression, so that the
-- planner puts it in the place of a call.

create or replace function flowledger.readable_time(p_time timestamptz)
returns timestamptz
language sql
immutable
as $$
    select case
        when p_time < timestamptz '0001-01-02 00:00:00Z' then timestamptz '0001-01-02 00:00:00Z'
        when p_time > timestamptz '9999-12-31 00:00:00Z' then timestamptz '9999-12-31 00:00:00Z'
        else p_time
    end;
$$;
