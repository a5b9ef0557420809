-- Count anew the slots of these limits that are in use. Whoever takes or frees one meanwhile counts
-- after this, since he has not had the key's lock. Locks: slot keys, by key.

create or replace function flowledger.recount_slots(p_keys text[])
returns void
language plpgsql
volatile
as $$
declare
    v_key text;
    v_count integer;
begin
    foreach v_key in array array(select distinct k from unnest(p_keys) as k order by k) loop
        insert into flowledger.slot_count (limit_key, in_use)
        values (v_key, 1)
        on conflict (limit_key) do update set in_use = 1; -- locks it, whatever was there

        select count(*) into v_count from flowledger.slot as s where s.limit_key = v_key;

        if v_count > 0 then
            update flowledger.slot_count set in_use = v_count where limit_key = v_key;
        else
            delete from flowledger.slot_count where limit_key = v_key;
        end if;
    end loop;
end
$$;
