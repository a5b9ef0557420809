-- Count p_less slots of a limit as in use no more; a limit of which none is in use has no row, and
-- one that was miscounted as fewer neither.
-- Locks: the slot key.

create or replace function flowledger.decrement_slot_count(p_key text, p_less integer)
returns void
language plpgsql
volatile
as $$
declare
    v_in_use integer;
begin
    select k.in_use into v_in_use
    from flowledger.slot_count as k
    where k.limit_key = p_key
    for update;

    if v_in_use <= p_less then
        delete from flowledger.slot_count as k where k.limit_key = p_key;
    else
        update flowledger.slot_count as k
        set in_use = k.in_use - p_less
        where k.limit_key = p_key;
    end if;
end
$$;
