-- The greatest id that a step of the task may have; see step_id_lower_bound.

create or replace function flowledger.step_id_upper_bound(p_task uuid)
returns uuid
language sql
immutable
as $$
    select (overlay(left(p_task::text, 19) placing '8' from 15) || 'ffff-ffffffffffff')::uuid;
$$;
