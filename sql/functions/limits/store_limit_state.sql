-- Store what a transaction of the coordinator changes of limits, from one JSON object: `holders`,
-- `most`, `rates`, `circuits`, `waiters`, `gone`; one that is missing changes nothing. Wakes the
-- coordinators of other shards where room was made that somebody waits for.
--
-- Raises FL006 where another shard was first to a limit. Locks: slots, their keys, rates, circuits,
-- waiting steps, each by key.

create or replace function flowledger.store_limit_state(p_limits json)
returns void
language plpgsql
volatile
as $$
declare
    v_freed text[] := '{}';
begin
    if p_limits -> 'gone' is not null then
        delete from flowledger.waiting_step as h
        using json_array_elements_text(p_limits -> 'gone') as g (step_id)
        where h.step_id = g.step_id::uuid;
    end if;
    if p_limits -> 'waiters' is not null then
        perform flowledger.store_waiting_steps(p_limits -> 'waiters');
    end if;
    if p_limits -> 'holders' is not null then
        v_freed := flowledger.set_slots_of_steps(p_limits -> 'holders', p_limits -> 'most');
    end if;
    if p_limits -> 'rates' is not null then
        perform flowledger.advance_rates(p_limits -> 'rates');
    end if;
    if p_limits -> 'circuits' is not null then
        perform flowledger.store_circuits(p_limits -> 'circuits');
    end if;
    if exists (select from flowledger.waiting_step as h where h.limit_key = any (v_freed)) then
        perform pg_notify('flowledger.room', '');
    end if;
end
$$;
