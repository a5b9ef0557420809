-- When an event happened, in microseconds since 1970, UTC, from the head of its payload; null where
-- it is compressed or encrypted, or has no head. See payload_json. One expression, so that the
-- planner puts it in the place of a call.

create or replace function flowledger.payload_occurred_at(p_state bytea, p_encoding bigint)
returns bigint
language sql
immutable
as $$
    select case
        when p_encoding = 0 and length(p_state) > 24 and get_byte(p_state, 0) between 1 and 6
            then ('x' || encode(substr(p_state, 18, 8), 'hex'))::bit(64)::bigint
    end;
$$;
