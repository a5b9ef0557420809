-- Have steps hold a slot of exactly these limits, from a JSON array of {step_id, keys}, and keep
-- the count of each limit in line with it, by what really changed. p_most has by key the most slots
-- that may have been in use before, where some are taken. Returns the keys that now have less in
-- use.
--
-- Raises FL006 where more were in use: another shard was first. Locks: slots, slot keys by key.

create or replace function flowledger.set_slots_of_steps(p_holders json, p_most json)
returns text[]
language plpgsql
volatile
as $$
declare
    r record;
    v_freed text[] := '{}';
begin
    for r in
        with holder as (
            select h.step_id, h.keys
            from json_to_recordset(p_holders) as h (step_id uuid, keys json)
        ), wanted as (
            select h.step_id, k.limit_key
            from holder as h, json_array_elements_text(h.keys) as k (limit_key)
        ), gone as (
            delete from flowledger.slot as s
            using holder as h
            where s.step_id = h.step_id
                and not exists (
                    select from wanted as w
                    where w.step_id = s.step_id and w.limit_key = s.limit_key
                )
            returning s.limit_key
        ), come as (
            insert into flowledger.slot (step_id, limit_key)
            select w.step_id, w.limit_key from wanted as w
            on conflict do nothing
            returning limit_key
        ), changed as (
            select c.limit_key, 1 as one from come as c
            union all
            select g.limit_key, -1 from gone as g
        )
        select c.limit_key, sum(c.one)::integer as more, (p_most ->> c.limit_key)::integer as most
        from changed as c
        group by c.limit_key
        having sum(c.one) <> 0
        order by c.limit_key
    loop
        if r.more > 0 then
            perform flowledger.increment_slot_count(r.limit_key, r.more, r.most);
        else
            perform flowledger.decrement_slot_count(r.limit_key, -r.more);
            v_freed := v_freed || r.limit_key;
        end if;
    end loop;

    return v_freed;
end
$$;
