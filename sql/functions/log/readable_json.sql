-- The value as it is, or null where it is nested deeper than 254 levels. No release stores such a
-- one, and clients that read JSON by recursion end at it, with all the other rows.

create or replace function flowledger.readable_json(p_value jsonb)
returns jsonb
language sql
immutable
as $$
    select case
        when not jsonb_path_exists(
            p_value, 'strict $.**{254} ? (@.type() == "array" || @.type() == "object")'
        ) then p_value
    end;
$$;
