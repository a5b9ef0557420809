-- How many slots of these limits are in use, 0 included.

create or replace function flowledger.slots_in_use(p_keys text[])
returns table (limit_key text, in_use integer)
language sql
stable
as $$
    select p.limit_key, coalesce(k.in_use, 0)
    from unnest(p_keys) as p (limit_key)
    left join flowledger.slot_count as k on k.limit_key = p.limit_key;
$$;
