-- The value as it is, or null where clients that read JSON would end at it, with all the other rows:
-- where it is nested deeper than 254 levels, or has a number beyond those of 64-bit floats, which
-- Postgres spells digit by digit. No release stores such a one.

create or replace function flowledger.readable_json(p_value jsonb)
returns jsonb
language sql
immutable
as $$
    select case
        when jsonb_path_exists(
            p_value, 'strict $.**{254} ? (@.type() == "array" || @.type() == "object")'
        ) then null
        when jsonb_path_exists(
            p_value, 'strict $.**{0 to 254} ? (@.type() == "number"
                && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
        ) then null
        else p_value
    end;
$$;
