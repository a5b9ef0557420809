-- Count p_more slots of a limit as in use, from no more on than can be
-- counted on from. Raises FL006 where more than p_most were in use before; null: however many.
-- Locks: the slot key.

create or replace function flowledger.increment_slot_count(p_key text, p_more integer, p_most integer)
returns void
language plpgsql
volatile
as $$
begin
    insert into flowledger.slot_count as k (limit_key, in_use)
    values (p_key, p_more)
    on conflict (limit_key) do update
    set in_use = least(k.in_use, flowledger.most_counted(1000000000)) + excluded.in_use
    where p_most is null or k.in_use <= p_most;

    if not found then
        raise exception 'more than % slots of % are in use', p_most, p_key using errcode = 'FL006';
    end if;
end
$$;
