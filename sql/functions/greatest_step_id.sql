-- The greatest id that a step of the task may have; see least_step_id.

create or replace function flowledger.greatest_step_id(p_task uuid)
returns uuid
language sql
immutable
as $$
    select (overlay(left(p_task::text, 19) placing '8' from 15) || 'ffff-ffffffffffff')::uuid;
$$;
