-- The p_number-th of the ids that one id stands for: its last two bytes say which. Who has made the
-- id has made them all. One expression, so that the planner puts it in the place of a call.

create or replace function flowledger.numbered_id(p_first uuid, p_number integer)
returns uuid
language sql
immutable
as $$
    select encode(substr(uuid_send(p_first), 1, 14) || int2send(p_number::smallint), 'hex')::uuid;
$$;
