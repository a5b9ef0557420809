-- The time so many seconds before now, p_seconds being 0 or more, or NaN, which is more than all
-- others, and as long ago as that can be.

create or replace function flowledger.seconds_ago(p_seconds double precision)
returns timestamptz
language sql
stable
as $$
    select flowledger.time_ago(make_interval(secs => least(p_seconds, 1e12)));
$$;
