-- When the next step of each of these rates would come if steps came evenly; nothing of a rate that
-- holds nobody back.

create or replace function flowledger.theoretical_arrival_times(p_keys text[])
returns table (limit_key text, expected_at timestamptz)
language sql
stable
as $$
    select t.limit_key, t.expected_at
    from flowledger.rate as t
    where t.limit_key = any (p_keys);
$$;
