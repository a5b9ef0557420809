-- The least id that a step of the task may have: the task's time and the bits behind it, as UUIDv8.

create or replace function flowledger.step_id_lower_bound(p_task uuid)
returns uuid
language sql
immutable
as $$
    select (overlay(left(p_task::text, 19) placing '8' from 15) || '0000-000000000000')::uuid;
$$;
