-- Whether every reader takes a JSON value: at most 200 lists and objects in each other, and numbers
-- that doubles can hold. As the constraints on columns have it.

create or replace function flowledger.json_is_readable(p_value jsonb)
returns boolean
language sql
immutable
as $$
    select p_value is null
        or not jsonb_path_exists(p_value, 'strict $.**{201}')
        and not jsonb_path_exists(
            p_value,
            'strict $.**{0 to 200} ? (@.type() == "number"'
            ' && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
        );
$$;
