-- The time so long before now, p_ago being 0 or more; not before the year 1000, which is before
-- everything that happened and a time that every client can read.

create or replace function flowledger.time_ago(p_ago interval)
returns timestamptz
language sql
stable
as $$
    select case
        when p_ago >= interval '1000 years' then timestamptz '1000-01-01 00:00:00Z'
        else flowledger.clock() - p_ago
    end;
$$;
