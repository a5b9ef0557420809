-- The time so many microseconds after 1970, UTC, or the nearest to it from the year 1 to the year
-- 9999: a time that every client can read, whatever is written. One expression, so that the planner
-- puts it in the place of a call.

create or replace function flowledger.time_from_microseconds(p_microseconds bigint)
returns timestamptz
language sql
immutable
as $$
    select case
        when p_microseconds < -62135596800000000 then timestamptz '0001-01-01 00:00:00Z'
        when p_microseconds > 253402300799999999 then timestamptz '9999-12-31 23:59:59.999999Z'
        else (
            timestamp '1970-01-01'
            + (p_microseconds / 86400000000)::double precision * interval '1 day'
            -- as one number it would be rounded
            + (p_microseconds % 86400000000)::double precision * interval '1 microsecond'
        ) at time zone 'UTC'
    end;
$$;
